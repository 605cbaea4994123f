"""What must not train does not, and what is shared, cloned or discarded behaves as documented."""

from __future__ import annotations

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs.models.base as base
from recs.layers import DynamicEmbedding

IDS = np.array([[1, 2], [2, 3]])


def model_with(layer: DynamicEmbedding, optimizer="sgd", **arguments) -> keras.Model:
    inputs = keras.Input((2,), dtype="int64")
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(layer(inputs))))
    model.compile(optimizer, "mse", **arguments)
    return model


def state(layer: DynamicEmbedding) -> list[bytes]:
    return layer.table.serialize().numpy().tolist()


def test_a_frozen_layer_neither_inserts_nor_updates():
    layer = DynamicEmbedding(3, seed=1)
    layer.table.upsert([1], [[1.0, 1.0, 1.0]])
    layer.trainable = False
    model = model_with(layer)
    before = state(layer)
    model.fit(IDS, np.ones((2, 1)), verbose=0)
    assert state(layer) == before


def test_freezing_between_fits_stops_and_unfreezing_goes_on():
    layer = DynamicEmbedding(3, seed=1)
    model = model_with(layer)
    model.fit(IDS, np.ones((2, 1)), verbose=0)
    trained = state(layer)
    layer.trainable = False
    model.compile("sgd", "mse")
    model.fit(IDS, np.ones((2, 1)), verbose=0)
    assert state(layer) == trained
    layer.trainable = True
    model.compile("sgd", "mse")
    model.fit(IDS, np.ones((2, 1)), verbose=0)
    assert layer.table.stats()["step"] == 2


def test_evaluate_predict_and_plain_calls_change_nothing():
    layer = DynamicEmbedding(3, seed=1)
    model = model_with(layer)
    model.fit(IDS, np.ones((2, 1)), verbose=0)
    before = state(layer)
    model.evaluate(IDS + 100, np.ones((2, 1)), verbose=0)
    model.predict(IDS + 100, verbose=0)
    model(IDS + 100)
    layer(IDS + 100, training=False)
    assert state(layer) == before


def test_a_tape_that_asks_for_other_weights_changes_no_row():
    layer = DynamicEmbedding(3, seed=1)
    model = model_with(layer)
    model(IDS, training=True)  # inserts
    before = layer.table.lookup(IDS)
    kernel = model.layers[-1].kernel
    optimizer = keras.optimizers.SGD(0.1)
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(IDS, training=True) ** 2)
        optimizer.apply(tape.gradient(loss, [kernel.value]), [kernel])
    np.testing.assert_array_equal(layer.table.lookup(IDS), before)
    assert layer.table.stats()["step"] == 0


@pytest.mark.parametrize("as_function", [False, True])
def test_a_custom_loop_trains(as_function):
    layer = DynamicEmbedding(3, seed=1, optimizer=keras.optimizers.SGD(0.5))
    optimizer = keras.optimizers.SGD(0.5)

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(IDS, training=True) * [1.0, 2.0, 4.0])
        gradients = tape.gradient(loss, [v.value for v in layer.trainable_variables])
        optimizer.apply(gradients, layer.trainable_variables)

    optimizer.build(layer.trainable_variables)
    layer(IDS, training=True)
    before = layer.table.lookup([1, 2, 3])
    (tf.function(step) if as_function else step)()
    counts = np.array([[1.0], [2.0], [1.0]])  # id 2 is there twice
    expected = before - 0.5 * counts * np.array([[1.0, 2.0, 4.0]])
    np.testing.assert_allclose(layer.table.lookup([1, 2, 3]), expected, rtol=1e-6)


def test_gradients_that_were_only_looked_at_are_discarded_and_counted():
    layer = DynamicEmbedding(3, seed=1, optimizer=keras.optimizers.SGD(1.0))
    optimizer = keras.optimizers.SGD(1.0)
    variables = layer.trainable_variables
    for apply in (False, True):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer([7], training=True))
        gradients = tape.gradient(loss, [v.value for v in variables])
        before = layer.table.lookup([7])
        if apply:
            optimizer.apply(gradients, variables)
    np.testing.assert_allclose(layer.table.lookup([7]), before - 1.0)
    assert layer.table.stats()["discarded_passes"] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_bad_gradients_are_refused_row_by_row_and_counted(value, capfd):
    layer = DynamicEmbedding(2, seed=1, optimizer=keras.optimizers.SGD(1.0))
    optimizer = keras.optimizers.SGD(1.0)
    layer([1, 2], training=True)
    before = layer.table.lookup([1, 2])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer([1, 2], training=True) * [[value, 1.0], [1.0, 1.0]])
    gradients = tape.gradient(loss, [v.value for v in layer.trainable_variables])
    optimizer.apply(gradients, layer.trainable_variables)
    np.testing.assert_array_equal(layer.table.lookup([1]), before[:1])
    np.testing.assert_allclose(layer.table.lookup([2]), before[1:] - 1.0)
    assert layer.table.stats()["refused_updates"] == 1
    assert np.isfinite(layer.trainable_variables[0].value)


def test_the_regularizer_acts_on_distinct_rows_of_the_batch():
    layer = DynamicEmbedding(
        2, embeddings_initializer="ones", embeddings_regularizer=keras.regularizers.L2(0.25),
        optimizer=keras.optimizers.SGD(1.0),
    )  # fmt: skip
    inputs = keras.Input((3,), dtype="int64")
    model = keras.Model(inputs, keras.ops.sum(layer(inputs), axis=(1, 2)) * 0.0)
    model.compile("sgd", "mse")
    loss = model.train_on_batch(np.array([[5, 5, 6]]), np.zeros((1,)))
    # Two distinct rows of two ones: 0.25 * 4. Their gradient is 0.5 each, once.
    assert loss == pytest.approx(1.0)
    np.testing.assert_allclose(layer.table.lookup([5, 6]), np.full((2, 2), 0.5))


def test_clones_and_copies_from_config_share_no_rows():
    layer = DynamicEmbedding(3, seed=1)
    model = model_with(layer)
    model.fit(IDS, np.ones((2, 1)), verbose=0)
    clone = keras.models.clone_model(model)
    assert clone.layers[1].table.size() == 0
    before = state(layer)
    clone.compile("sgd", "mse")
    clone.fit(IDS + 10, np.ones((2, 1)), verbose=0)
    assert state(layer) == before
    assert DynamicEmbedding.from_config(layer.get_config()).table.size() == 0


def test_a_deep_copy_has_the_same_rows_and_shares_none():
    layer = DynamicEmbedding(3, seed=1)
    layer(IDS, training=True)
    twin = copy.deepcopy(layer)
    np.testing.assert_array_equal(twin.table.lookup(IDS), layer.table.lookup(IDS))
    twin.table.upsert([1], [[9.0, 9.0, 9.0]])
    assert layer.table.lookup([1])[0, 0] != 9.0


def test_first_sight_stores_what_forward_returned_whatever_the_order():
    ids = np.arange(1000)
    layer = DynamicEmbedding(3, seed=4)
    first = layer(ids, training=True).numpy()
    np.testing.assert_array_equal(layer.table.lookup(ids), first)
    shuffled = np.random.default_rng(0).permutation(ids)
    other = DynamicEmbedding(3, seed=4)
    for part in np.array_split(shuffled, 7):
        other(part, training=True)
    np.testing.assert_array_equal(other.table.lookup(ids), first)
    different = DynamicEmbedding(3, seed=5)(ids, training=True).numpy()
    assert np.mean(first == different) < 0.01


def test_keras_seeds_a_layer_without_a_seed_of_its_own():
    rows = []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(seed)
        rows.append(DynamicEmbedding(3)([1, 2], training=True).numpy())
    np.testing.assert_array_equal(rows[0], rows[1])
    assert np.all(rows[0] != rows[2])


def test_unknown_ids_get_the_declared_default_in_inference():
    layer = DynamicEmbedding(3, default_value=0.5)
    np.testing.assert_array_equal(layer([1, 2]), np.full((2, 3), 0.5))
    np.testing.assert_array_equal(layer([1, 2]), np.full((2, 3), 0.5))
    assert layer.table.size() == 0


class Regression(base.Model):
    """The score of a user and a movie is learnt by its squared error."""

    def __init__(self, optimizer=None):
        super().__init__()
        self.user = DynamicEmbedding(2, seed=1, optimizer=optimizer)
        self.movie = keras.Sequential([DynamicEmbedding(2, seed=2, optimizer=optimizer)])

    def compute_loss(self, inputs, training=False):
        users, movies, ratings = inputs
        score = keras.ops.sum(self.user(users) * self.movie(movies), axis=-1)
        return keras.ops.mean((keras.ops.cast(score, "float32") - ratings) ** 2)


def data() -> tf.data.Dataset:
    users, movies = np.arange(32) % 5, np.arange(32) % 7
    return tf.data.Dataset.from_tensor_slices((users, movies, np.ones(32, "float32"))).batch(8)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_in_a_recs_model_tables_follow_the_compiled_optimizer(policy):
    keras.config.set_dtype_policy(policy)
    model = Regression()
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(data(), epochs=3, verbose=0)
    for table in (model.user.table, model.movie.layers[0].table):
        assert table.stats()["optimizer"] == "adam"
        assert table.stats()["step"] == 12
    keras.config.set_dtype_policy("float32")
    reference = Regression()
    reference.compile(keras.optimizers.Adam(0.05))
    reference.fit(data(), epochs=3, verbose=0)
    np.testing.assert_allclose(
        model.user.table.lookup(np.arange(5)),
        reference.user.table.lookup(np.arange(5)),
        atol=1e-6 if policy == "float32" else 0.05,
    )


def test_in_a_recs_model_a_layers_own_optimizer_wins():
    model = Regression(optimizer="sgd")
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(data(), verbose=0)
    assert model.user.table.stats()["optimizer"] == "sgd"


def test_in_a_recs_model_a_global_norm_is_refused_with_a_remedy():
    model = Regression()
    model.compile(keras.optimizers.Adam(0.05, global_clipnorm=1.0))
    with pytest.raises(ValueError, match=r"`global_clipnorm` must not be set.*use `clipnorm`"):
        model.fit(data(), verbose=0)
