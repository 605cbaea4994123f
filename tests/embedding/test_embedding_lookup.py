"""Rows of ids of any shape, looked up at once or each distinct id once, against `tf.nn`."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.embedding import embedding_lookup, embedding_lookup_unique
from recs.layers import DynamicEmbedding
from tests.embedding.dense_twin import DIM, EAGER_AND_GRAPH, check_values_and_step, twins

LOOK_UPS = (embedding_lookup, embedding_lookup_unique)
SHAPES = ((), (5,), (2, 3), (2, 1, 3), (0,), (2, 0))


@pytest.mark.parametrize("look_up", LOOK_UPS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("key_dtype", ["int64", "string"])
@pytest.mark.parametrize("max_norm", [None, 1.5])
@pytest.mark.parametrize("combiner", [None, "mean"])
@pytest.mark.parametrize("compiled", EAGER_AND_GRAPH)
def test_values_and_gradients(look_up, shape, key_dtype, max_norm, combiner, compiled):
    both = twins(key_dtype, combiner=combiner)
    indices = np.random.default_rng(2).integers(0, 4, shape) * 2  # ids repeat; 0 has a row of 0
    check_values_and_step(
        both,
        lambda: look_up(both.layer, tf.constant(both.keys[indices]), max_norm, training=True),
        lambda: tf.nn.embedding_lookup(both.dense, indices, max_norm),
        compiled=compiled,
    )


@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_max_norm_is_of_the_norm_and_leaves_the_table_alone(look_up):
    layer = DynamicEmbedding(2)
    layer.table.upsert([1, 2], np.array([[3.0, 4.0], [0.3, 0.4]]))
    np.testing.assert_allclose(look_up(layer, [1, 2], 2.5), [[1.5, 2.0], [0.3, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(layer.table.lookup([1]), [[3.0, 4.0]])


@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_ragged_ids(look_up):
    both = twins()
    indices = tf.ragged.constant([[[1, 8], []], [], [[8]]])
    ids = tf.ragged.map_flat_values(lambda flat: tf.gather(both.keys, flat), indices)
    rows = look_up(both.layer, ids, 1.5)
    expected = tf.nn.embedding_lookup(both.dense, indices, 1.5)
    assert rows.shape.as_list() == [3, None, None, DIM]
    np.testing.assert_allclose(rows.flat_values, expected.flat_values, rtol=1e-6)
    assert [splits.tolist() for splits in map(np.array, rows.nested_row_splits)] == [
        splits.tolist() for splits in map(np.array, expected.nested_row_splits)
    ]


@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_ids_whose_rank_a_graph_does_not_know(look_up):
    both = twins()
    run = tf.function(
        lambda ids: look_up(both.layer, ids), input_signature=[tf.TensorSpec(None, tf.int64)]
    )
    np.testing.assert_array_equal(run(both.keys[[[1, 2]]]), both.dense.numpy()[[[1, 2]]])


@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_ids_are_inserted_in_training_alone(look_up):
    layer = DynamicEmbedding(2, "ones", default_value=5.0)
    assert np.all(look_up(layer, [1, 1]) == 5.0)
    assert np.all(look_up(layer, [1, 1], training=False) == 5.0)
    assert layer.table.size() == 0
    assert np.all(look_up(layer, [1, 2, 1], training=True) == 1.0)
    assert layer.table.size() == 2


@pytest.mark.parametrize("look_up", LOOK_UPS)
@pytest.mark.parametrize("combiner", [None, "sum"])
def test_mask_key_gives_zeros_without_a_row(look_up, combiner):
    layer = DynamicEmbedding(2, "ones", mask_key=0, combiner=combiner)
    assert look_up(layer, [[0, 3]], training=True).numpy().tolist() == [[[0.0, 0.0], [1.0, 1.0]]]
    assert layer.table.size() == 1


@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_two_look_ups_of_a_step_train_the_sum_of_their_gradients(look_up):
    both = twins()

    def twice(find, ids):
        return tf.concat([find(ids[:3]), find(ids[2:])], axis=0)

    check_values_and_step(
        both,
        lambda: twice(lambda ids: look_up(both.layer, ids, training=True), both.keys[[1, 2, 3, 2]]),
        lambda: twice(lambda i: tf.nn.embedding_lookup(both.dense, i), np.array([1, 2, 3, 2])),
    )


def test_unique_ids_alone_reach_the_layer(monkeypatch):
    both, seen = twins(), []
    call = DynamicEmbedding.call
    monkeypatch.setattr(
        DynamicEmbedding, "call", lambda self, ids, **k: seen.append(ids) or call(self, ids, **k)
    )
    embedding_lookup_unique(both.layer, both.keys[[[3, 1], [3, 3]]])
    assert [ids.numpy().tolist() for ids in seen] == [both.keys[[3, 1]].tolist()]


@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_half_precision(look_up):
    layer = DynamicEmbedding(2, "ones", dtype="mixed_float16")
    assert look_up(layer, [1], 0.5, training=True).dtype == tf.float16
