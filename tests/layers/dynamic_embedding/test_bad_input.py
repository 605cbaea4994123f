"""Wrong arguments and inputs are refused in four parts; odd but legal ones are not."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers import DynamicEmbedding

BAD_ARGUMENTS = {
    "zero": ({"output_dim": 0}, r"`output_dim` must be a positive integer. Received: output_dim=0"),
    "negative": ({"output_dim": -4}, "`output_dim` must be a positive integer"),
    "float": ({"output_dim": 2.5}, r"Received: output_dim=2.5 \(in DynamicEmbedding 'users'\)"),
    "bool": ({"output_dim": True}, "`output_dim` must be a positive integer"),
    "key_dtype": ({"key_dtype": "float32"}, "`key_dtype` must be one of int64, string. Received"),
    "combiner": ({"combiner": "max"}, "`combiner` must be None, 'sum', 'mean' or 'sqrtn'"),
    "mask_key": ({"mask_key": "x"}, "`mask_key` must be an id of type int. Received: mask_key='x'"),
    "initializer": (
        {"embeddings_initializer": keras.initializers.Constant([1.0, 2.0, 3.0])},
        "`embeddings_initializer` must give finite values of the shape that it is asked for",
    ),
    "unknown_optimizer": (
        {"optimizer": "adamm"},
        "`optimizer` must be a Keras optimizer, its name or its configuration. Received: "
        "optimizer='adamm'",
    ),
    "optimizer_without_a_row_update": (
        {"optimizer": "muon"},
        "`optimizer` must be one with a row update: SGD, .*, GroupFtrl. Received: optimizer=Muon",
    ),
    "global_clipnorm": (
        {"optimizer": keras.optimizers.Adam(global_clipnorm=1.0)},
        "`global_clipnorm` must not be set.*use `clipnorm`",
    ),
    "ema": ({"optimizer": keras.optimizers.SGD(use_ema=True)}, "`use_ema` must not be set"),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_arguments(case):
    arguments, message = BAD_ARGUMENTS[case]
    with pytest.raises(ValueError, match=message):
        DynamicEmbedding(**{"output_dim": 2, "name": "users", **arguments})


BAD_INPUTS = {
    "float": (np.array([1.5]), r"Ids must be integers.*Received: dtype float64.*ids.astype"),
    "bool": (np.array([True]), "Ids must be integers.*Received: dtype bool"),
    "string": (tf.constant(["a"]), "Received: dtype string.*Give `key_dtype='string'`"),
    "uint64": (tf.constant([1], tf.uint64), r"Received: dtype uint64.*tf.bitcast"),
    "sparse": (tf.sparse.from_dense([[1]]), "A sparse input needs a combiner"),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_inputs(case, training):
    ids, message = BAD_INPUTS[case]
    layer = DynamicEmbedding(2)
    with pytest.raises(ValueError, match=message):
        layer(ids, training=training)
    assert layer.table.size() == 0


def test_integers_for_string_keys():
    with pytest.raises(
        ValueError, match=r"Ids must be strings, as `key_dtype` string says.*`key_dtype='int64'`"
    ):
        DynamicEmbedding(2, key_dtype="string")(np.array([1]))


def test_weights_without_a_combiner():
    with pytest.raises(ValueError, match="`weights` need a combiner"):
        DynamicEmbedding(2)(np.array([[1]]), np.array([[1.0]]))


def test_weights_of_another_number():
    layer = DynamicEmbedding(2, combiner="sum")
    with pytest.raises(tf.errors.InvalidArgumentError, match="Received: 3 weights for 2 keys"):
        layer(np.array([[1, 2]]), np.array([[1.0, 2.0, 3.0]]), training=True)
    assert layer.table.size() == 0


def test_a_mask_of_another_number():
    with pytest.raises(tf.errors.InvalidArgumentError, match="Received: 1 values for 2 keys"):
        DynamicEmbedding(2)(np.array([1, 2]), mask=np.array([True]))


@pytest.mark.parametrize("rows", [[[np.nan, 0.0]], [[np.inf, 0.0]]])
def test_upsert_refuses_what_is_not_finite(rows):
    layer = DynamicEmbedding(2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`rows` must be finite"):
        layer.table.upsert([1], rows)
    assert layer.table.size() == 0


def test_upsert_refuses_another_width():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must have shape \[1,2\]"):
        DynamicEmbedding(2).table.upsert([1], [[1.0, 2.0, 3.0]])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("combiner", [None, "mean"])
def test_an_empty_batch_is_legal(combiner, training):
    layer = DynamicEmbedding(2, combiner=combiner)
    ids = np.zeros((0, 3), "int64")
    assert layer(ids, training=training).shape == ((0, 3, 2) if combiner is None else (0, 2))
    inputs = keras.Input((3,), dtype="int64")
    model = keras.Model(inputs, keras.layers.Dense(1)(layer(inputs)))
    model.compile("sgd", "mse")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(ids, training=True))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    model.optimizer.apply(gradients, model.trainable_variables)
    assert layer.table.size() == 0


def test_every_integer_is_a_legal_id():
    extremes = np.array([0, -1, 1, 2**63 - 1, -(2**63), 2**32, -(2**32)])
    layer = DynamicEmbedding(2, seed=0)
    rows = layer(extremes, training=True)
    assert layer.table.size() == 7
    np.testing.assert_array_equal(layer.table.lookup(extremes), rows)
    assert sorted(layer.table.export()[0].tolist()) == sorted(extremes.tolist())
