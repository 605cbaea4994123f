"""`recs.tasks.Retrieval` and the loss layers against TFRS, gradients included."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.loss import (
    HardNegativeMining,
    RemoveAccidentalHits,
    SamplingProbabilityCorrection,
)
from recs.tasks import Retrieval
from tests.parity.peer import Case, run_tfrs

EXTRAS = {
    "plain": [],
    "weighted": ["sample_weight"],
    "corrected": ["candidate_sampling_probability"],
    "masked": ["score_mask"],
    "all": ["sample_weight", "candidate_sampling_probability", "score_mask"],
}


def _arrays(seed: int, heads: int, extra: int, ids: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows, dim = 8, 5
    shape = (rows, heads, dim) if heads else (rows, dim)
    mask = rng.random((rows, rows + extra)) > 0.2
    mask[np.arange(rows), np.arange(rows)] = True
    numbers = rng.integers(0, 5, rows + extra)
    return {
        "queries": rng.normal(size=shape).astype("float32"),
        "rows": rng.normal(size=(rows + extra, dim)).astype("float32"),
        "sample_weight": rng.random(rows).astype("float32"),
        "candidate_sampling_probability": (rng.random(rows + extra) ** 12).astype("float32"),
        "score_mask": mask,
        "candidate_ids": numbers.astype(str) if ids == "str" else numbers,
    }


def _cases() -> dict[str, Case]:
    cases = {}
    options = itertools.product(
        (None, 0.3), (None, 2, 100), (False, True), EXTRAS, ((0, 0), (3, 0), (0, 4))
    )
    for seed, (temperature, hard, hits, extras, (heads, extra)) in enumerate(options):
        given = [*EXTRAS[extras], *(["candidate_ids"] if hits else [])]
        ids = "str" if seed % 2 else "int"
        # Each third case goes through one-hot labels: a loss of the user's, or batch metrics.
        way = (
            {},
            {"loss": "mean_crossentropy"} if seed % 2 else {"batch_metrics": True},
            {"batch_metrics": True, "loss": "mean_crossentropy"},
        )[seed % 3]
        settings = {
            "temperature": temperature,
            "num_hard_negatives": hard,
            "remove_accidental_hits": hits,
            "given": given,
            **way,
        }
        name = f"{seed}-T{temperature}-n{hard}-hits{hits}-{extras}-h{heads}-x{extra}-{len(way)}"
        cases[name] = Case("retrieval", settings, _arrays(seed, heads, extra, ids))
    return cases


def _layer_cases() -> dict[str, Case]:
    cases = {}
    for n, ids in ((1, "int"), (3, "str"), (50, "int")):
        rng = np.random.default_rng(n)
        numbers = rng.integers(0, 4, 9)
        arrays = {
            "logits": rng.normal(size=(6, 9)).astype("float32"),
            "labels": np.eye(6, 9, dtype="float32"),
            "ids": numbers.astype(str) if ids == "str" else numbers,
            "p": (rng.random(9) ** 9).astype("float32"),
        }
        cases[f"layers-{n}"] = Case("loss_layers", {"n": n}, arrays)
    return cases


RETRIEVAL, LAYERS = _cases(), _layer_cases()


@pytest.fixture(scope="module")
def tfrs():
    return run_tfrs("retrieval", {**RETRIEVAL, **LAYERS})


@pytest.mark.parametrize("name", RETRIEVAL)
def test_retrieval(name, tfrs):
    case, theirs = RETRIEVAL[name], tfrs[name]
    top2 = keras.metrics.TopKCategoricalAccuracy(k=2)
    mean = keras.metrics.Mean()
    has_loss = case.options.get("loss")
    task = Retrieval(
        loss=keras.losses.CategoricalCrossentropy(from_logits=True) if has_loss else None,
        batch_metrics=[top2] if case.options.get("batch_metrics") else None,
        loss_metrics=[mean],
        temperature=case.options["temperature"],
        num_hard_negatives=case.options["num_hard_negatives"],
        remove_accidental_hits=case.options["remove_accidental_hits"],
    )
    queries, rows = tf.constant(case.arrays["queries"]), tf.constant(case.arrays["rows"])
    with tf.GradientTape() as tape:
        tape.watch([queries, rows])
        loss = task(queries, rows, **{k: case.arrays[k] for k in case.options["given"]})
    dq, dc = tape.gradient(loss, [queries, rows])
    np.testing.assert_allclose(loss, theirs["loss"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dq, theirs["dq"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dc, theirs["dc"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mean.result(), theirs["mean"], rtol=1e-5)
    np.testing.assert_allclose(top2.result(), theirs["top2"], rtol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_loss_layers(name, tfrs):
    case, theirs = LAYERS[name], tfrs[name]
    logits, labels = case.arrays["logits"], case.arrays["labels"]
    mined, mined_labels = HardNegativeMining(case.options["n"])(logits, labels)
    order = np.argsort(-np.asarray(mined), axis=1)
    np.testing.assert_array_equal(np.take_along_axis(np.asarray(mined), order, 1), theirs["mined"])
    np.testing.assert_array_equal(
        np.take_along_axis(np.asarray(mined_labels), order, 1), theirs["labels"]
    )
    hits = RemoveAccidentalHits()(labels, logits, case.arrays["ids"])
    np.testing.assert_allclose(hits, theirs["hits"], rtol=1e-6)
    corrected = SamplingProbabilityCorrection()(logits, case.arrays["p"])
    np.testing.assert_allclose(corrected, theirs["corrected"], rtol=1e-6)
