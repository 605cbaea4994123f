"""Rows of sparse ids some of which are invalid or missing, against `tf.nn`."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.embedding import safe_embedding_lookup_sparse
from recs.layers import DynamicEmbedding
from tests.embedding.dense_twin import DIM, EAGER_AND_GRAPH, check_values_and_step, twins

# Row 1 has no id, row 3 no valid one, row 4 weights of 0 and less, row 5 is the empty last.
PLACES = [[0, 0], [0, 1], [0, 3], [2, 0], [2, 2], [3, 1], [4, 0], [4, 1]]
IDS = np.array([1, -7, 0, 2, 1, -1, 3, 4])
WEIGHTS = np.array([0.5, 2.0, 1.5, 3.0, -0.5, 1.0, 0.0, -1.0], "float32")
SHAPES = {"two_axes": [6, 4], "three_axes": [2, 3, 4], "one_axis": [24]}


def sparse(shape: str, values: np.ndarray = IDS, places=PLACES) -> tf.SparseTensor:
    return tf.sparse.reshape(tf.SparseTensor(places, values, [6, 4]), SHAPES[shape])


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn", None])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("default_id", [None, 0, 5])
@pytest.mark.parametrize("max_norm", [None, 1.5])
@pytest.mark.parametrize("compiled", EAGER_AND_GRAPH)
def test_values_and_gradients(combiner, shape, weighted, default_id, max_norm, compiled):
    both, ids = twins(in_order=True), sparse(shape)

    def with_weights(values):
        return sparse(shape, values[0]) if values else None

    check_values_and_step(
        both,
        lambda *values: safe_embedding_lookup_sparse(
            both.layer, ids, with_weights(values), combiner, default_id, max_norm, training=True
        ),
        lambda *values: tf.nn.safe_embedding_lookup_sparse(
            both.dense, ids, with_weights(values), combiner, default_id, max_norm
        ),
        WEIGHTS if weighted else None,
        compiled=compiled,
    )


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("default_id", [None, 5])
def test_strings(combiner, weighted, default_id):
    both, indices = twins("string"), sparse("two_axes", np.abs(IDS))
    key = None if default_id is None else both.keys[default_id]

    def with_weights(values):
        return indices.with_values(values[0]) if values else None

    check_values_and_step(
        both,
        lambda *values: safe_embedding_lookup_sparse(
            both.layer, both.sparse_keys(indices), with_weights(values), combiner, key,
            training=True,
        ),
        lambda *values: tf.nn.safe_embedding_lookup_sparse(
            both.dense, indices, with_weights(values), combiner, default_id
        ),
        WEIGHTS if weighted else None,
    )  # fmt: skip


@pytest.mark.parametrize("combiner", ["sum", "mean"])
def test_sums_alone_keep_weights_of_0_and_less(combiner):
    both, ids = twins(in_order=True), sparse("two_axes")
    output = check_values_and_step(
        both,
        lambda weights: safe_embedding_lookup_sparse(
            both.layer, ids, ids.with_values(weights), combiner, 5, training=True
        ),
        lambda weights: tf.nn.safe_embedding_lookup_sparse(
            both.dense, ids, ids.with_values(weights), combiner, 5
        ),
        WEIGHTS,
    )
    assert np.any(output[4] != output[5]) == (combiner == "sum")  # row 5 is empty


@pytest.mark.parametrize("default_id", [None, 5])
@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("compiled", EAGER_AND_GRAPH)
def test_no_ids(default_id, rows, compiled):
    both = twins(in_order=True)
    ids = tf.SparseTensor(np.zeros((0, 2), "int64"), np.zeros(0, "int64"), [rows, 4])
    output = check_values_and_step(
        both,
        lambda: safe_embedding_lookup_sparse(both.layer, ids, None, "mean", default_id, training=1),
        lambda: tf.nn.safe_embedding_lookup_sparse(both.dense, ids, None, "mean", default_id),
        compiled=compiled,
    )
    assert output.shape == (rows, DIM)


def test_shapes_that_a_graph_does_not_know():
    both, ids = twins(in_order=True), sparse("three_axes")
    run = tf.function(
        lambda ids: safe_embedding_lookup_sparse(both.layer, ids),
        input_signature=[tf.SparseTensorSpec(None, tf.int64)],
    )
    np.testing.assert_array_equal(run(ids), safe_embedding_lookup_sparse(both.layer, ids))


@pytest.mark.parametrize("shape", [[4, None], [4, None, 7]])
def test_shapes_that_a_graph_does_know(shape):
    layer = twins(in_order=True).layer
    run = tf.function(lambda ids: safe_embedding_lookup_sparse(layer, ids))
    graph = run.get_concrete_function(tf.SparseTensorSpec(shape, tf.int64))
    assert graph.structured_outputs.shape.as_list() == [*shape[:-1], DIM]


def test_nothing_is_inserted_for_empty_rows_and_invalid_ids():
    layer = DynamicEmbedding(2, "ones")
    output = safe_embedding_lookup_sparse(
        layer, sparse("two_axes"), sparse("two_axes", WEIGHTS), training=True
    )
    assert output.numpy()[:, 0].tolist() == [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert sorted(layer.table.export()[0].tolist()) == [0, 1, 2]


def test_default_id_has_a_row_only_where_a_row_is_empty():
    layer = DynamicEmbedding(2, "ones")
    safe_embedding_lookup_sparse(layer, tf.sparse.from_dense([[3]]), default_id=7, training=True)
    assert not layer.table.contains([7])[0]
    assert np.all(
        safe_embedding_lookup_sparse(layer, tf.sparse.from_dense([[0]]), default_id=7, training=1)
        == 1.0
    )
    assert layer.table.contains([7])[0]


def test_mask_key_makes_rows_empty():
    layer = DynamicEmbedding(1, mask_key=2)
    layer.table.upsert([1, 5], np.array([[2.0], [4.0]]))
    ids = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [1, 2, 2], [2, 2])
    output = safe_embedding_lookup_sparse(layer, ids, default_id=5)
    assert output.numpy().tolist() == [[2.0], [4.0]]
