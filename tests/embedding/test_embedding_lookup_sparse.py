"""Rows of sparse ids, combined, against `tf.nn`."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.embedding import embedding_lookup_sparse
from recs.layers import DynamicEmbedding
from tests.embedding.dense_twin import EAGER_AND_GRAPH, check_values_and_step, twins

COMBINERS = ("sum", "mean", "sqrtn")
# Row 1 is empty, and so is the last; ids repeat within rows and across them.
CASES = {
    "two_axes": ([[0, 0], [0, 1], [0, 3], [2, 0], [3, 2], [3, 3]], [1, 2, 1, 0, 8, 2], [5, 4]),
    "three_axes": ([[0, 0, 1], [0, 1, 0], [2, 0, 0], [2, 1, 1]], [3, 4, 3, 8], [4, 2, 2]),
    "one_axis": ([[0], [2]], [5, 6], [4]),
    "no_ids": (np.zeros((0, 2)), [], [3, 2]),
    "no_rows": (np.zeros((0, 2)), [], [0, 2]),
}
# That of row 2 is 0, one of row 3 is negative.
WEIGHTS = np.array([0.5, 2.0, 1.5, 0.0, -0.5, 2.5], "float32")


def sparse(case: str) -> tf.SparseTensor:
    places, values, shape = CASES[case]
    return tf.SparseTensor(np.array(places, "int64"), np.array(values, "int64"), shape)


@pytest.mark.parametrize("combiner", COMBINERS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("max_norm", [None, 1.5])
@pytest.mark.parametrize(("key_dtype", "layer_combiner"), [("int64", None), ("string", "sum")])
@pytest.mark.parametrize("compiled", EAGER_AND_GRAPH)
def test_values_and_gradients(
    combiner, case, weighted, max_norm, key_dtype, layer_combiner, compiled
):
    both, indices = twins(key_dtype, combiner=layer_combiner), sparse(case)
    count = int(tf.size(indices.values))
    weights = WEIGHTS[:count]

    def with_weights(values):
        return indices.with_values(values[0]) if values else None

    check_values_and_step(
        both,
        lambda *values: embedding_lookup_sparse(
            both.layer, both.sparse_keys(indices), with_weights(values), combiner, max_norm,
            training=True,
        ),
        lambda *values: tf.nn.embedding_lookup_sparse(
            both.dense, indices, with_weights(values), combiner, max_norm
        ),
        weights if weighted else None,
        compiled=compiled,
    )  # fmt: skip


def test_mean_is_the_combiner_that_is_meant():
    both, indices = twins(), sparse("two_axes")
    by_default = embedding_lookup_sparse(both.layer, both.sparse_keys(indices))
    mean = embedding_lookup_sparse(both.layer, both.sparse_keys(indices), combiner="mean")
    np.testing.assert_array_equal(by_default, mean)


@pytest.mark.parametrize("combiner", ["mean", "sqrtn"])
def test_a_row_of_weights_0_gives_zeros_and_finite_gradients(combiner):
    both = twins()
    ids = tf.SparseTensor([[0, 0], [1, 0]], both.keys[[4, 5]], [2, 1])
    weights = tf.constant([0.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(weights)
        output = embedding_lookup_sparse(both.layer, ids, ids.with_values(weights), combiner)
        loss = tf.reduce_sum(output)
    assert np.all(output[0] == 0.0)
    assert np.all(np.isfinite(tape.gradient(loss, weights)))


@pytest.mark.parametrize("weighted", [False, True])
def test_mask_key_is_left_out(weighted):
    layer = DynamicEmbedding(1, mask_key=0)
    layer.table.upsert([1, 2], np.array([[2.0], [4.0]]))
    ids = tf.SparseTensor([[0, 0], [0, 1], [0, 2], [1, 0]], [1, 0, 2, 0], [2, 3])
    weights = ids.with_values([1.0, 5.0, 3.0, 1.0]) if weighted else None
    output = embedding_lookup_sparse(layer, ids, weights, "mean")
    assert output.numpy().tolist() == [[3.5 if weighted else 3.0], [0.0]]


@pytest.mark.parametrize("case", ["no_ids", "no_rows"])
@pytest.mark.parametrize("compiled", EAGER_AND_GRAPH)
def test_no_weights_have_a_gradient_too(case, compiled):
    both, ids = twins(), sparse(case)
    check_values_and_step(
        both,
        lambda weights: embedding_lookup_sparse(
            both.layer, ids, ids.with_values(weights), training=True
        ),
        lambda weights: tf.nn.embedding_lookup_sparse(both.dense, ids, ids.with_values(weights)),
        np.zeros(0, "float32"),
        compiled=compiled,
    )


def test_fast_look_up_and_name_change_nothing():
    both, indices = twins(), sparse("two_axes")
    ids, weights = both.sparse_keys(indices), indices.with_values(WEIGHTS)
    plain = embedding_lookup_sparse(both.layer, ids, weights)
    named = embedding_lookup_sparse(both.layer, ids, weights, None, None, "name", True)
    np.testing.assert_array_equal(plain, named)


def test_sums_of_half_precision_are_taken_in_single_precision():
    layer = DynamicEmbedding(1, "ones", dtype="mixed_float16")
    ids = tf.sparse.from_dense(np.ones((1, 4096), "int64"))
    output = embedding_lookup_sparse(layer, ids, combiner="mean", training=True)
    assert output.dtype == tf.float16
    assert output.numpy().tolist() == [[1.0]]  # a sum in float16 ends at 2048 ones
