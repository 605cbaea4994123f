"""Every option, with the batch in many chunks: values and gradients against a loop over rows."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.loss import Temperature
from recs.losses import BPR
from recs.losses.functional import chunks
from recs.tasks import Retrieval
from tests.tasks import retrieval_oracle as oracle

ROWS, EXTRA, DIM = 20, 3, 4


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(chunks, "SCORES_AT_ONCE", 16)  # a chunk has 16 rows at the least


@pytest.fixture
def given(rng):
    shape = (ROWS, ROWS + EXTRA)
    return {
        "queries": rng.normal(size=(ROWS, DIM)),
        "candidates": rng.normal(size=(ROWS + EXTRA, DIM)),
        "weight": rng.random(ROWS),
        "p": rng.uniform(0.01, 0.9, ROWS + EXTRA),
        "ids": rng.integers(0, 9, ROWS + EXTRA),
        "mask": (rng.random(shape) > 0.3) | np.eye(*shape, dtype=bool),
        "explicit": rng.normal(size=(ROWS, 3, DIM)),
        "explicit_ids": rng.integers(0, 9, (ROWS, 3)),
        "explicit_p": rng.uniform(0.01, 0.9, (ROWS, 3)),
    }


OPTIONS = {
    "plain": [],
    "weighted": ["weight"],
    "corrected": ["p"],
    "hits": ["ids"],
    "masked": ["mask"],
    "explicit": ["explicit", "p", "explicit_p"],
    "explicit-hits": ["explicit", "ids", "explicit_ids"],
    "all": ["weight", "p", "ids", "mask", "explicit", "explicit_ids", "explicit_p"],
}
CALL = {
    "weight": "sample_weight",
    "p": "candidate_sampling_probability",
    "ids": "candidate_ids",
    "mask": "score_mask",
    "explicit": "negative_embeddings",
    "explicit_ids": "negative_ids",
    "explicit_p": "negative_probability",
}


def _both(
    task, row_loss, given, names, training, scales=(1.0,), temperature=1.0, hard=None, static=True
):
    """Yields loss and gradients of the task, traced once, and of the oracle, per scale."""
    learnt = [
        n
        for n in ("queries", "candidates", "explicit", "p", "weight")
        if n in (*names, "queries", "candidates")
    ]
    others = {n: given[n] for n in names if n not in learnt}

    def of_task(*values):
        known = dict(zip(learnt, values, strict=True))
        call = {CALL[n]: known.get(n, others.get(n)) for n in names}
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = task(known["queries"], known["candidates"], training=training, **call)
        return loss, tape.gradient(loss, values)

    shapes = [given[n].shape for n in learnt]
    specs = [tf.TensorSpec(s if static else [None, *s[1:]], tf.float64) for s in shapes]
    traced = tf.function(of_task, input_signature=specs)
    for scale in scales:
        tensors = {n: tf.constant(given[n] * (scale if n == "queries" else 1)) for n in learnt}
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            options = {n: tensors.get(n, others.get(n)) for n in names}
            want = oracle.total(
                row_loss, tensors["queries"], tensors["candidates"],
                temperature=temperature, hard=hard, **options,
            )  # fmt: skip
        yield traced(*tensors.values()), (want, tape.gradient(want, list(tensors.values())))


def _assert_same(both):
    for got, want in both:
        np.testing.assert_allclose(got[0], want[0], rtol=1e-9)
        for a, b in zip(got[1], want[1], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("names", OPTIONS.values(), ids=OPTIONS)
def test_softmax(given, names, training):
    task = Retrieval(temperature=0.5, remove_accidental_hits="ids" in names, dtype="float64")
    _assert_same(_both(task, oracle.softmax, given, names, training, (1.0, 100.0), temperature=0.5))


@pytest.mark.parametrize("names", [[], ["p", "ids", "mask", "explicit", "explicit_p"]])
@pytest.mark.parametrize("hard", [1, 7, 500])
def test_mining(given, names, hard, monkeypatch):
    for few in (0, 64):  # both ways to the n-th largest
        monkeypatch.setattr("recs.losses.functional.hardest.FEW", few)
        monkeypatch.setattr("recs.losses.functional.hardest.COLUMNS_FOR_EACH", 0)
        task = Retrieval(num_hard_negatives=hard, remove_accidental_hits="ids" in names)
        _assert_same(_both(task, oracle.softmax, given, names, True, hard=hard))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("names", OPTIONS.values(), ids=OPTIONS)
def test_a_loss_of_pairs(given, names, training):
    task = Retrieval(BPR(0.5, reduction="sum"), remove_accidental_hits="ids" in names)
    _assert_same(_both(task, oracle.bpr, given, names, training, temperature=0.5))


def test_sizes_known_only_when_it_runs(given):
    task = Retrieval(remove_accidental_hits=True)
    names = ["ids", "p", "weight"]
    given["ids"] = given["ids"].astype(str)
    _assert_same(_both(task, oracle.softmax, given, names, True, static=False))


@pytest.mark.parametrize("training", [True, False])
def test_heads(given, rng, training):
    given["queries"] = rng.normal(size=(ROWS, 2, DIM))
    _assert_same(_both(Retrieval(), oracle.softmax, given, ["p", "mask"], training))


@pytest.mark.parametrize("training", [True, False])
def test_learned_temperature(given, training):
    temperature = Temperature(0.5)
    weight = temperature.trainable_weights[0]
    queries, candidates = (tf.constant(given[n], tf.float32) for n in ("queries", "candidates"))
    with tf.GradientTape() as tape:
        loss = Retrieval(temperature=temperature)(queries, candidates, training=training)
    w = tf.Variable(np.log(0.5))
    with tf.GradientTape() as wanted:
        want = oracle.total(
            oracle.softmax, tf.constant(given["queries"]), tf.constant(given["candidates"]),
            temperature=tf.exp(w),
        )  # fmt: skip
    np.testing.assert_allclose(loss, want, rtol=1e-5)
    got = tape.gradient(loss, weight.value)
    np.testing.assert_allclose(got, wanted.gradient(want, w), rtol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_of_none_in_a_graph(training):
    specs = [tf.TensorSpec([None, DIM])] * 2

    @tf.function(input_signature=specs)
    def step(queries, candidates):
        with tf.GradientTape() as tape:
            tape.watch([queries, candidates])
            loss = Retrieval(name="none")(queries, candidates, training=training)
        return loss, tape.gradient(loss, [queries, candidates])

    loss, (dq, dc) = step(tf.zeros([0, DIM]), tf.zeros([0, DIM]))
    assert (float(loss), dq.shape, dc.shape) == (0.0, (0, DIM), (0, DIM))


def test_no_matrix_of_the_batch_is_made(monkeypatch):
    monkeypatch.setattr(chunks, "SCORES_AT_ONCE", 64 * 16)
    task = Retrieval(remove_accidental_hits=True, num_hard_negatives=100, temperature=0.1)
    rows = tf.TensorSpec([64, 3])

    @tf.function(input_signature=[rows, rows, tf.TensorSpec([64], tf.int64), tf.TensorSpec([64])])
    def step(queries, candidates, ids, p):
        with tf.GradientTape() as tape:
            tape.watch([queries, candidates])
            loss = task(queries, candidates, None, p, ids, training=True)
        return tape.gradient(loss, [queries, candidates])

    graphs = [step.get_concrete_function().graph]
    shapes = []
    while graphs:
        graph = graphs.pop()
        shapes += [
            tuple(out.shape)
            for op in graph.get_operations()
            for out in op.outputs
            if out.shape.rank == 2
        ]
        graphs += [f.graph for f in graph._functions.values() if hasattr(f, "graph")]
    assert (64, 64) not in shapes
