"""The corpus metrics and the exact indexes against TFRS."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k import BruteForce, Streaming
from recs.metrics import FactorizedTopK
from tests.parity.peer import Case, run_tfrs

LAYERS = {"streaming": Streaming, "brute_force": BruteForce}


def _corpus(seed: int, ids: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows, dim, queries = 50, 6, 16
    names = rng.permutation(rows) + 1000
    positive = rng.integers(0, rows, queries)
    arrays = {
        "candidates": rng.normal(size=(rows, dim)).astype("float32"),
        "queries": rng.normal(size=(queries, dim)).astype("float32"),
        "weight": rng.random(queries).astype("float32"),
    }
    arrays["queries"] += 0.6 * arrays["candidates"][positive]
    # Sixty-fourths: every product and sum is exact, so that both sides rank alike. TFRS counts the
    # positive's own copy against it when rounding makes the copy's score higher. Without ties, in
    # which TFRS takes any candidate for a hit.
    for name in ("queries", "candidates"):
        arrays[name] = np.round(arrays[name] * 64) / 64
    arrays["positives"] = arrays["candidates"][positive]
    scores = arrays["queries"] @ arrays["candidates"].T
    own = np.sum(arrays["queries"] * arrays["positives"], axis=1, keepdims=True)
    assert ((scores == own).sum(axis=1) == 1).all()
    if ids != "none":
        kind = {"int": "int64", "str": str}[ids]
        arrays["ids"] = names.astype(kind)
    else:
        names = np.arange(rows, dtype="int32")
        kind = "int32"
    arrays["true_ids"] = names[positive].astype(kind)
    arrays["excluded"] = names[rng.integers(0, rows, (queries, 7))].astype(kind)
    return arrays


def _metric_cases() -> dict[str, Case]:
    cases = {}
    choices = itertools.product(LAYERS, (False, True), (False, True), ("none", "int", "str"))
    for seed, (index, by_id, weighted, ids) in enumerate(choices):
        options = {"index": index, "by_id": by_id, "weighted": weighted, "ks": [1, 3, 10]}
        cases[f"{index}-id{by_id}-w{weighted}-{ids}"] = Case(
            "factorized", options, _corpus(seed, ids)
        )
    return cases


def _index_cases() -> dict[str, Case]:
    cases = {}
    for seed, (layer, ids, k) in enumerate(
        itertools.product(LAYERS, ("none", "int", "str"), (1, 10, 40))
    ):
        options = {"layer": layer, "k": k, "batch": 12}
        cases[f"{layer}-{ids}-{k}"] = Case("top_k", options, _corpus(seed, ids))
    return cases


METRICS, INDEXES = _metric_cases(), _index_cases()


@pytest.fixture(scope="module")
def tfrs():
    renamed = {f"metric-{name}": case for name, case in METRICS.items()}
    return run_tfrs("factorized_top_k", {**renamed, **INDEXES})


def _dataset(arrays, batch):
    parts = (arrays["ids"], arrays["candidates"]) if "ids" in arrays else arrays["candidates"]
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch)


@pytest.mark.parametrize("name", METRICS)
def test_metric(name, tfrs):
    options, arrays = METRICS[name].options, METRICS[name].arrays
    source = _dataset(arrays, 16)
    if options["index"] == "brute_force":
        source = BruteForce().index_from_dataset(source)
    metric = FactorizedTopK(source, ks=options["ks"])
    for rows in (slice(0, 8), slice(8, 16)):
        metric.update_state(
            arrays["queries"][rows],
            arrays["positives"][rows],
            true_candidate_ids=arrays["true_ids"][rows] if options["by_id"] else None,
            sample_weight=arrays["weight"][rows] if options["weighted"] else None,
        )
    theirs = tfrs[f"metric-{name}"]["result"]
    assert 0 < theirs[1] < 1
    np.testing.assert_allclose(metric.result(), theirs, rtol=1e-6)


@pytest.mark.parametrize("name", INDEXES)
def test_index(name, tfrs):
    case, theirs = INDEXES[name], tfrs[name]
    index = LAYERS[case.options["layer"]](k=case.options["k"])
    index.index_from_dataset(_dataset(case.arrays, case.options["batch"]))
    scores, ids = index(case.arrays["queries"])
    np.testing.assert_allclose(scores, theirs["scores"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ids.numpy().astype(theirs["ids"].dtype), theirs["ids"])
    few_scores, few_ids = index.query_with_exclusions(
        case.arrays["queries"], case.arrays["excluded"]
    )
    np.testing.assert_allclose(few_scores, theirs["few_scores"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        few_ids.numpy().astype(theirs["few_ids"].dtype), theirs["few_ids"]
    )
