"""What the look-ups refuse, in four parts."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.embedding import (
    embedding_lookup,
    embedding_lookup_sparse,
    embedding_lookup_unique,
    safe_embedding_lookup_sparse,
)
from recs.layers import DynamicEmbedding

DENSE = (embedding_lookup, embedding_lookup_unique)
SPARSE = (embedding_lookup_sparse, safe_embedding_lookup_sparse)
IDS = tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [1, 2, 3], [3, 2])
WEIGHTS = IDS.with_values([1.0, 2.0, 3.0])


def ids_for(look_up):
    return [1, 2] if look_up in DENSE else IDS


@pytest.mark.parametrize("look_up", DENSE + SPARSE)
@pytest.mark.parametrize("layer", [keras.layers.Embedding(3, 2), np.ones((3, 2)), DynamicEmbedding])
def test_the_owner_of_a_table_is_wanted(look_up, layer):
    with pytest.raises(
        TypeError,
        match=r"` must be a `recs.layers.DynamicEmbedding`.* Received: .*"
        rf"\(in {look_up.__name__}\)\. For a dense table, use",
    ):
        look_up(layer, ids_for(look_up))


@pytest.mark.parametrize("look_up", DENSE + SPARSE)
@pytest.mark.parametrize("max_norm", [0, -1.0, float("nan"), "1"])
def test_max_norm_is_above_0(look_up, max_norm):
    with pytest.raises(
        ValueError,
        match=rf"`max_norm` must be a number above 0, or None\. Received: max_norm={max_norm!r} "
        rf"\(in {look_up.__name__}\)",
    ):
        look_up(DynamicEmbedding(2), ids_for(look_up), max_norm=max_norm)


@pytest.mark.parametrize("look_up", DENSE)
def test_sparse_ids_are_sent_to_the_look_up_that_combines(look_up):
    message = rf"`ids` must be dense or ragged.*\(in {look_up.__name__}\).*embedding_lookup_sparse"
    with pytest.raises(TypeError, match=message):
        look_up(DynamicEmbedding(2), IDS)


@pytest.mark.parametrize("look_up", SPARSE)
def test_unknown_combiner(look_up):
    message = r"`combiner` must be one of sum, mean, sqrtn\. Received: combiner='max' \(in "
    with pytest.raises(ValueError, match=message + look_up.__name__):
        look_up(DynamicEmbedding(2), IDS, combiner="max")


@pytest.mark.parametrize("look_up", SPARSE)
@pytest.mark.parametrize("ids", [[[1]], np.array([[1]]), tf.ragged.constant([[1]])])
def test_ids_that_are_not_sparse(look_up, ids):
    message = r"ids` must be a `tf.SparseTensor`. Received: a .* \(in " + look_up.__name__
    with pytest.raises(TypeError, match=message):
        look_up(DynamicEmbedding(2), ids)


@pytest.mark.parametrize("look_up", SPARSE)
def test_weights_that_are_not_sparse(look_up):
    with pytest.raises(TypeError, match=r"weights` must be a `tf.SparseTensor`"):
        look_up(DynamicEmbedding(2), IDS, tf.constant([1.0, 1.0, 1.0]))


BAD_WEIGHTS = {
    "shape": tf.SparseTensor(WEIGHTS.indices, WEIGHTS.values, [3, 3]),
    "place": tf.SparseTensor([[0, 0], [0, 1], [2, 1]], WEIGHTS.values, [3, 2]),
    "number": tf.SparseTensor([[0, 0]], [1.0], [3, 2]),
    "none": tf.SparseTensor(np.zeros((0, 2), "int64"), np.zeros(0, "float32"), [3, 2]),
    "axes": tf.SparseTensor([[0], [1], [2]], WEIGHTS.values, [3]),
}


@pytest.mark.parametrize("look_up", SPARSE)
@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_weights_are_where_the_ids_are(look_up, case):
    message = r"weights` must have the shape and the indices of `.*ids`\. Received: others"
    layer, weights = DynamicEmbedding(2), BAD_WEIGHTS[case]
    with pytest.raises(ValueError, match=message):
        look_up(layer, IDS, weights)
    unknown = tf.SparseTensorSpec(None, tf.float32)
    run = tf.function(lambda w: look_up(layer, IDS, w), input_signature=[unknown])
    np.testing.assert_array_equal(run(WEIGHTS), look_up(layer, IDS, WEIGHTS))
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        run(weights)


@pytest.mark.parametrize("look_up", SPARSE)
def test_no_weights_are_not_those_of_one_id(look_up):  # which would be equal if broadcast
    one, layer = tf.SparseTensor([[0, 0]], [1], [3, 2]), DynamicEmbedding(2)
    unknown = tf.SparseTensorSpec(None, tf.float32)
    run = tf.function(lambda w: look_up(layer, one, w), input_signature=[unknown])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have the shape and the indices"):
        run(BAD_WEIGHTS["none"])


@pytest.mark.parametrize("look_up", SPARSE)
def test_rows_are_in_order(look_up):
    ids = tf.SparseTensor([[1, 0], [0, 0]], [1, 2], [2, 1])
    with pytest.raises(ValueError, match=r"in the order of their rows.*tf\.sparse\.reorder"):
        look_up(DynamicEmbedding(2), ids)


@pytest.mark.parametrize("look_up", DENSE + SPARSE)
@pytest.mark.parametrize("key_dtype", ["int64", "string"])
def test_ids_are_of_the_table(look_up, key_dtype):
    ids = tf.constant(["a"]) if key_dtype == "int64" else tf.constant([1])
    if look_up in SPARSE:
        ids = tf.SparseTensor([[0, 0]], ids, [1, 1])
    with pytest.raises(ValueError, match=rf"Ids must be .*, as `key_dtype` {key_dtype} says"):
        look_up(DynamicEmbedding(2, key_dtype=key_dtype), ids)


@pytest.mark.parametrize(
    ("key_dtype", "default_id"), [("int64", "a"), ("int64", 1.0), ("int64", True), ("string", 1)]
)
def test_default_id_is_an_id_of_the_table(key_dtype, default_id):
    ids = tf.SparseTensor([[0, 0]], ["a"] if key_dtype == "string" else [1], [1, 1])
    layer = DynamicEmbedding(2, key_dtype=key_dtype)
    with pytest.raises(ValueError, match=r"`default_id` must be an? .*, or None\. Received"):
        safe_embedding_lookup_sparse(layer, ids, default_id=default_id)
