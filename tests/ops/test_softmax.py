"""The softmax loss in one op: values and gradients against its formula in float64."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.losses import InBatchSoftmax
from recs.losses.functional import in_batch_rows
from recs.ops.kernel_path import kernel_path
from recs.ops.library import suits_tensors
from recs.ops.softmax import softmax_loss
from recs.tasks import Retrieval

ROWS, COLUMNS, DIM = 70, 150, 10
FLOATS = ("bias", "weight", "positive")


@pytest.fixture
def given(rng):
    return {
        "queries": rng.normal(size=(ROWS, DIM)),
        "candidates": rng.normal(size=(COLUMNS, DIM)),
        "bias": rng.normal(size=COLUMNS),
        "weight": rng.random(ROWS),
        "positive": rng.normal(size=ROWS),
        "numbers": (rng.integers(0, 9, ROWS), rng.integers(0, 9, COLUMNS)),
    }


def by_formula(queries, candidates, bias, weight, positive, left_out):
    scores = queries @ tf.transpose(candidates) + bias
    z = tf.reduce_logsumexp(tf.where(left_out, tf.constant(-np.inf, tf.float64), scores), axis=1)
    losses = z if positive is None else tf.math.softplus(z - positive)
    return tf.reduce_sum(weight * losses)


@pytest.mark.parametrize("size", [0.1, 30.0], ids=["moderate", "large"])
@pytest.mark.parametrize("with_gradient", [True, False])
@pytest.mark.parametrize(
    "names",
    [(), ("positive",), ("bias", "positive"), ("weight", "numbers"), (*FLOATS, "numbers")],
    ids="-".join,
)  # fmt: skip
def test_value_and_gradients(given, names, with_gradient, size):
    given["queries"] *= size
    values = {n: given[n] for n in ("queries", "candidates", *FLOATS)}
    chosen = ["queries", "candidates", *(n for n in FLOATS if n in names)]
    inputs = [tf.constant(values[n], tf.float32) for n in chosen]
    diagonal = "positive" in names and "numbers" not in names
    own, others = given["numbers"]
    left_out = own[:, None] == others if "numbers" in names else np.eye(ROWS, COLUMNS) * diagonal

    @tf.function(input_signature=[tf.TensorSpec([None] * x.shape.rank) for x in inputs])
    def run(*tensors):
        known = dict(zip(chosen, tensors, strict=True))
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            queries = tf.ensure_shape(known.pop("queries"), [None, DIM])
            total = softmax_loss(
                queries, known.pop("candidates"), **known,
                numbers=given["numbers"] if "numbers" in names else None,
                without_diagonal=diagonal, with_gradient=with_gradient,
            )  # fmt: skip
        return total, tape.gradient(total, tensors)

    with tf.GradientTape() as tape:
        wide = {n: tf.constant(values[n], tf.float64) for n in chosen}
        tape.watch(wide)
        want = by_formula(
            wide["queries"], wide["candidates"], wide.get("bias", 0.0), wide.get("weight", 1.0),
            wide.get("positive"), np.array(left_out, bool),
        )  # fmt: skip
    total, gradients = run(*inputs)
    np.testing.assert_allclose(total, want, rtol=1e-5)
    expected_gradients = tape.gradient(want, [wide[n] for n in chosen])
    for gradient, expected in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5 * max(size, 1))


def test_a_task_uses_it_and_gives_the_same(given, monkeypatch):
    """Beside the way of tasks that cannot: on another device, or without a compiler."""
    assert suits_tensors() == (kernel_path() != "portable")
    queries = tf.constant(given["queries"], tf.float32)
    candidates = tf.constant(given["candidates"], tf.float32)
    ids = np.arange(COLUMNS) % 40
    found = []
    for one_op in (True, False):
        monkeypatch.setattr(in_batch_rows, "suits_tensors", lambda one_op=one_op: one_op)
        task = Retrieval(InBatchSoftmax(0.3), remove_accidental_hits=True)
        with tf.GradientTape() as tape:
            tape.watch([queries, candidates])
            loss = task(
                queries, candidates, candidate_ids=ids, training=True,
                candidate_sampling_probability=np.full(COLUMNS, 0.1),
            )  # fmt: skip
        found.append([loss, *tape.gradient(loss, [queries, candidates])])
        assert ("RecsSoftmaxLoss" in _ops_of(task, queries, candidates, ids)) == one_op
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def _ops_of(task, queries, candidates, ids):
    traced = tf.function(lambda q, c: task(q, c, candidate_ids=ids))
    graph = traced.get_concrete_function(queries, candidates).graph
    return [op.type for op in graph.get_operations()]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"candidates": np.ones((4, 3), "float32")}, "matrices of as many columns.*7.*3"),
        ({"weight": np.ones(3, "float32")}, "`weights` must be a scalar, for none, or have 2 elem"),
        ({"bias": np.ones(5, "float32")}, "`bias` must .* 4 elements"),
    ],
)
def test_wrong_shapes(wrong, says):
    right = {"queries": np.ones((2, 7), "float32"), "candidates": np.ones((4, 7), "float32")}
    with pytest.raises(tf.errors.InvalidArgumentError, match=says):
        softmax_loss(**{**right, **wrong}, with_gradient=False)
