"""How an experiment judges a model of many domains."""

from __future__ import annotations

import numpy as np
import pytest

from recs.data import Samples
from recs.data.splits import Split
from recs.evaluation import per_domain
from recs.experiments import DomainEvaluation
from recs.models import CrossDomain


@pytest.fixture
def parts(rng):
    rows = 400
    table = Samples({
        "domain": np.where(np.arange(rows) % 20 == 0, "little", "large").astype(object),
        "user": rng.integers(0, 30, rows).astype(str).astype(object),
        "item": rng.integers(0, 10, rows).astype(str).astype(object),
        "liked": (rng.random(rows) < 0.4).astype("float32"),
    })  # fmt: skip
    half = np.arange(rows) % 40 < 20
    return Split(table.take(half), table.take(~half), table.take([]))


def test_figures_are_means_over_domains(parts):
    model = CrossDomain(["large", "little"], ["liked"], categories=["user", "item"], seed=1)
    evaluation = DomainEvaluation("user", "item", small=0.1)
    assert evaluation.columns(model) == ["domain", "user", "item", "liked"]
    evaluation.before(model, parts.train)
    report = evaluation.judge(model, parts, "test")
    assert report.protocol == "test: 200 samples of 2 domain(s), 1 of them small"
    test, train = parts.test, parts.train
    for row, scores in (
        ("model", model.predict_targets(test)["liked"]),
        ("items' means", means_of(train, test)),
    ):
        found = per_domain(test["liked"], scores, test["domain"], test["user"])
        big, small = found["large"], found["little"]
        want = (big["auc"] * big["rows"] + small["auc"] * small["rows"]) / len(test)
        np.testing.assert_allclose(report.figures[row]["auc"], want)
        np.testing.assert_allclose(report.figures[row]["small auc"], small["auc"])
        np.testing.assert_allclose(report.figures[row]["small ndcg@10"], small["ndcg@10"])
    assert [line.split()[0] for line in report.notes] == ["large", "little"]
    assert "little (small)" in str(report)


def means_of(train, test):
    """Each row on its own: five rows of the domain's mean beside the item's."""
    told = []
    for item, domain in zip(test["item"], test["domain"], strict=True):
        mean = train["liked"][train["domain"] == domain].mean(dtype=float)
        own = train["liked"][train["item"] == item]
        told.append((own.sum(dtype=float) + 5 * mean) / (len(own) + 5))
    return np.array(told)


def test_one_domain_needs_no_column(parts):
    model = CrossDomain(["all"], ["liked"], domain=None, categories=["user"], seed=1)
    report = DomainEvaluation("user", "item").judge(model, parts, "test")
    assert report.protocol == "test: 200 samples of 1 domain(s), 0 of them small"
    assert set(report.figures["model"]) == {"auc", "ndcg@10"}
