"""Figures of domains against a slow reckoning."""

from __future__ import annotations

import numpy as np

from recs.evaluation import per_domain


def ndcg(labels, scores, topn):
    """The items one by one; of equal scores the less relevant one first."""
    ranked = sorted(zip(-scores, labels, strict=True))
    best = sorted(labels, reverse=True)
    dcg, ideal = (
        sum((2**y - 1) / np.log2(place + 2) for place, y in enumerate(order[:topn]))
        for order in ([y for _, y in ranked], best)
    )
    return dcg / ideal


def test_areas_and_lists(rng):
    rows = 500
    labels = rng.integers(0, 3, rows).astype(float)
    labels[rng.random(rows) < 0.1] = np.nan
    scores = rng.integers(0, 6, rows) / 5.0
    domains, lists = rng.choice(["a", "b"], rows), rng.integers(0, 60, rows)
    found = per_domain(labels, scores, domains, lists, topn=3)
    for name in "ab":
        own = (domains == name) & ~np.isnan(labels)
        y, s, u = labels[own], scores[own], lists[own]
        up, down = s[y >= 1], s[y < 1]
        pairs = (up[:, None] > down) + 0.5 * (up[:, None] == down)
        np.testing.assert_allclose(found[name]["auc"], pairs.mean())
        values = [ndcg(y[u == one], s[u == one], 3) for one in np.unique(u)
                  if len(set(y[u == one])) > 1]  # fmt: skip
        np.testing.assert_allclose(found[name]["ndcg@3"], np.mean(values))
        assert found[name]["lists"] == len(values)
        assert found[name]["rows"] == own.sum()


def test_a_domain_of_one_kind_alone_has_no_figure():
    found = per_domain(np.ones(3), np.arange(3.0), np.array(["a"] * 3), np.zeros(3))
    assert np.isnan(found["a"]["auc"])
    assert np.isnan(found["a"]["ndcg@10"])
    assert found["a"]["lists"] == 0
