"""Ranking metrics against TF-Ranking and against trec_eval."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import pytrec_eval
import tensorflow as tf

import recs
from recs.losses.functional.ranking import gains
from tests.parity.peer import Case
from tests.parity.test_ranking_losses import lists, weights
from tests.parity.tfr_peer import run_tfr

CUT = [
    "MRRMetric",
    "HitsMetric",
    "PrecisionMetric",
    "RecallMetric",
    "MeanAveragePrecisionMetric",
    "NDCGMetric",
    "DCGMetric",
    "BPrefMetric",
    "PWAMetric",
]
WHOLE = ["ARPMetric", "OPAMetric"]
TOPICS = ["PrecisionIAMetric", "AlphaDCGMetric"]


def _topics(arrays, seed=7):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (*arrays["labels"].shape, 3)).astype("float32")
    labels[..., 2] = np.where(rng.random(labels.shape[:2]) < 0.2, -1, labels[..., 2])
    padding = arrays["labels"] < 0
    return {**arrays, "labels": np.where(padding[..., None], -1, labels).astype("float32")}


def _case(name, kind, weight, **options):
    arrays = lists(kind)
    shape = arrays["labels"].shape
    arrays = _topics(arrays) if name in TOPICS else arrays
    if name == "PWAMetric" and weight in ("item", "ones"):
        weight = "list"
    arrays = {**arrays, **weights(weight, shape)}
    return Case("metric", {"class": name, "ties_in_place": True, **options}, arrays)


def _cases():
    cases = {}
    for name in (*CUT, *WHOLE, *TOPICS):
        for kind in ("plain", "ties", "padded"):
            for weight in ("none", "list", "item", "ones"):
                for topn in (None,) if name in WHOLE else (None, 1, 3, 20):
                    arguments = {} if topn is None else {"topn": topn}
                    if name == "PWAMetric":
                        arguments = {"topn": topn}
                    key = f"{name}-{kind}-{weight}-{topn}"
                    cases[key] = _case(name, kind, weight, arguments=arguments)
    for name in ("NDCGMetric", "DCGMetric"):
        functions = {"gain_fn": "one_more", "rank_discount_fn": "inverse", "topn": 4}
        cases[f"{name}-functions"] = _case(name, "padded", "item", arguments=functions)
    sharp = {"alpha": 0.9, "rank_discount_fn": "inverse"}
    cases["AlphaDCGMetric-sharp"] = _case("AlphaDCGMetric", "padded", "none", arguments=sharp)
    loose = {"use_trec_version": False}
    cases["BPrefMetric-loose"] = _case("BPrefMetric", "padded", "none", arguments=loose)
    for name in (*CUT, *WHOLE):
        for weight in ("none", "list", "item"):
            if name == "PWAMetric" and weight != "none":
                # TF-Ranking's fails with ragged lists and weights.
                continue
            case = _case(name, "ties", weight, ragged=True)
            case.arrays["lengths"] = np.array([8, 1, 3, 8, 5, 2])
            if name == "PWAMetric":
                case.options["arguments"] = {"topn": 3}
            cases[f"{name}-ragged-{weight}"] = case
    return cases


CASES = _cases()


@pytest.fixture(scope="module")
def theirs():
    return run_tfr("ranking_metrics", CASES)


def _function(name):
    return (lambda y: y + 1.0) if name == "one_more" else getattr(gains, name)


def _made(case, **more):
    arguments = case.options.get("arguments", {})
    given = {k: _function(v) if k.endswith("_fn") else v for k, v in arguments.items()}
    return getattr(recs.metrics, case.options["class"])(**given, **more)


def _inputs(case):
    arrays = case.arrays
    found = [arrays["labels"], arrays["scores"], arrays.get("weights")]
    if case.options.get("ragged"):
        found = [
            x if x is None or x.shape[1] == 1 else tf.RaggedTensor.from_tensor(x, arrays["lengths"])
            for x in found
        ]
    return found


def _is_quick(name):
    """Whether a case is of the default run: one cut of every list and weight, every cut of two."""
    parts = name.split("-")
    if len(parts) < 4:
        return True
    _, kind, weight, topn = parts
    return topn in ("3", "None") if weight == "list" else (kind, weight) in (
        ("plain", "none"), ("padded", "item"), ("ties", "ones"))  # fmt: skip


QUICK = [n if _is_quick(n) else pytest.param(n, marks=pytest.mark.slow) for n in CASES]


@pytest.mark.parametrize("name", QUICK)
def test_metric(name, theirs):
    metric = _made(CASES[name], ties="position", tfr_compatible=True)
    inputs = _inputs(CASES[name])
    values, list_weights = metric.per_list(*inputs)
    np.testing.assert_allclose(list_weights, theirs[name]["weights"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(values, theirs[name]["values"], rtol=1e-5, atol=1e-6)
    metric.update_state(*inputs)
    np.testing.assert_allclose(metric.result(), theirs[name]["result"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in CASES if "-plain-none" in n and "Alpha" not in n])
def test_values_of_the_default(name, theirs):
    # Scores without ties and lists without padding: nothing is left to differ in the values.
    values, _ = _made(CASES[name]).per_list(*_inputs(CASES[name]))
    np.testing.assert_allclose(values, theirs[name]["values"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("key", recs.metrics.RankingMetricKey.all_keys())
def test_get(key):
    assert isinstance(recs.metrics.get(key, name="x"), keras.metrics.Metric)


def _run(queries=40, size=30):
    """Returns judgments, and scores that differ, of lists of several lengths."""
    rng = np.random.default_rng(12)
    lengths = rng.integers(5, size + 1, queries)
    labels = np.where(np.arange(size) < lengths[:, None], rng.integers(0, 4, (queries, size)), -1)
    labels[:, 0], labels[:, 1] = 2, 0
    scores = np.stack([rng.permutation(size) for _ in range(queries)]).astype("float32")
    return labels.astype("float32"), scores


def _trec(measures, relevance_level=1):
    labels, scores = _run()
    judged = {
        str(q): {str(d): int(y) for d, y in enumerate(row) if y >= 0}
        for q, row in enumerate(labels)
    }
    run = {q: {d: float(scores[int(q), int(d)]) for d in docs} for q, docs in judged.items()}
    evaluator = pytrec_eval.RelevanceEvaluator(judged, measures, relevance_level=relevance_level)
    found = evaluator.evaluate(run)
    return {m: [found[str(q)][m] for q in range(len(labels))] for m in found["0"]}


@pytest.mark.parametrize(
    ("metric", "measure", "name"),
    [
        (recs.metrics.MRRMetric(), "recip_rank", "recip_rank"),
        (recs.metrics.MeanAveragePrecisionMetric(), "map", "map"),
        (recs.metrics.MeanAveragePrecisionMetric(topn=5), "map_cut.5", "map_cut_5"),
        (recs.metrics.HitsMetric(topn=5), "success.5", "success_5"),
        (recs.metrics.PrecisionMetric(topn=5), "P.5", "P_5"),
        (recs.metrics.RecallMetric(topn=5), "recall.5", "recall_5"),
        (recs.metrics.BPrefMetric(), "bpref", "bpref"),
        (recs.metrics.NDCGMetric(gain_fn=gains.identity), "ndcg", "ndcg"),
        (recs.metrics.NDCGMetric(topn=10, gain_fn=gains.identity), "ndcg_cut.10", "ndcg_cut_10"),
    ],
    ids=lambda x: x if isinstance(x, str) else type(x).__name__,
)
def test_trec_eval(metric, measure, name):
    values, list_weights = metric.per_list(*_run())
    np.testing.assert_allclose(values, _trec({measure})[name], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(list_weights, 1)
