"""`recs.Model`: the binding of tables, and models that are ordinary Keras models."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from recs.models.base import FunctionalModel, Model
from tests.models.small_models import IDS, WAYS, Linear, Nested, batch, dataset


class Constraint(keras.constraints.Constraint):
    """Notes what it is told, and whether a gradient had been asked for by then."""

    def __init__(self):
        self.bound = []

    def bind_optimizer(self, optimizer):
        self.bound.append((optimizer, list(GRADIENTS)))

    def __call__(self, value):
        return value


GRADIENTS: list[str] = []


@tf.custom_gradient
def _noted(x):
    def grad(dy):
        GRADIENTS.append("asked")
        return dy

    return tf.identity(x), grad


class Table(keras.layers.Layer):
    def build(self, _):
        self.anchor = self.add_weight(shape=(), constraint=Constraint())

    def call(self, x):
        return _noted(tf.identity(self.anchor.value)) * ops.mean(x)


class Lazy(Model):
    """Makes its table in the first pass."""

    table = None

    def compute_loss(self, inputs, training=False):
        if self.table is None:
            self.table = Table()
        return self.table(inputs["x"])


@pytest.mark.parametrize("how", WAYS, ids=IDS)
def test_tables_are_bound_before_gradients(how):
    GRADIENTS.clear()
    model = Lazy()
    model.compile(optimizer=keras.optimizers.SGD(0.1), **how)
    model.fit(dataset(), verbose=0)
    optimizer, asked = model.table.anchor.constraint.bound[0]
    assert optimizer is model.optimizer
    assert asked == []
    assert GRADIENTS


def test_compile_binds_tables_again():
    model = Lazy()
    model.compile(optimizer="sgd")
    model.fit(dataset(), verbose=0)
    model.compile(optimizer="adam")
    assert model.table.anchor.constraint.bound[-1][0] is model.optimizer


def test_plain_and_functional_models_bind_too():
    GRADIENTS.clear()
    inputs = keras.Input((1,))
    table = Table()
    model = Model(inputs, keras.layers.Dense(1)(inputs) + table(inputs))
    assert isinstance(model, FunctionalModel)
    model.compile(optimizer="sgd", loss="mse")
    assert table.anchor.constraint.bound[0][0] is model.optimizer
    model.fit(batch()["x"], batch()["y"], verbose=0)
    assert [asked for _, asked in table.anchor.constraint.bound] == [[], []]


def _plain(base):
    class Plain(base):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_initializer="ones")
            self.drop = keras.layers.Dropout(0.0)

        def call(self, x):
            return self.drop(self.dense(x))

    return Plain()


def _functional(base):
    inputs = keras.Input((1,))
    return base(inputs, keras.layers.Dense(1, kernel_initializer="ones")(inputs))


@pytest.mark.parametrize("make", [_plain, _functional])
def test_without_compute_loss_it_is_a_keras_model(make):
    histories = []
    for base in (keras.Model, Model):
        keras.utils.set_random_seed(1)
        model = make(base)
        model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse", metrics=["mae"])
        x = np.arange(8.0).reshape(8, 1)
        history = model.fit(x, 3 * x, epochs=3, validation_split=0.25, verbose=0).history
        histories.append(history)
        assert model.predict(x, verbose=0).shape == (8, 1)
    assert histories[0] == histories[1]


def test_an_override_in_keras_own_manner_is_left_to_keras():
    class Own(Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_initializer="ones")

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.sum((y_pred - y) ** 2)

    model = Own()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(batch()["x"], batch()["y"], verbose=0).history
    assert history == {"loss": [16.0]}


def test_functional_models_leave_the_class_as_it_is():
    before = Model.__mro__
    _functional(Model)
    assert Model.__mro__ == before
    model = Linear()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    assert model.train_on_batch(batch(), return_dict=True)["loss"] == 16.0

    class Plain(Model):
        pass

    with pytest.raises(ValueError, match=r"must not be made of `inputs` and `outputs`.*Plain"):
        _functional(Plain)
    assert Model.__mro__ == before


def test_subclasses_take_any_two_arguments():
    class Pair(Model):
        def __init__(self, first, second):
            super().__init__()
            self.both = [first, second]

        def compute_loss(self, inputs, training=False):
            return ops.sum(self.both[1](self.both[0](inputs["x"])))

    model = Pair(keras.layers.Dense(2), keras.layers.Dense(1))
    model.compile(optimizer="sgd")
    model.fit(dataset(), verbose=0)
    assert len(model.trainable_weights) == 4


def test_functional_model_is_saved_compiled(tmp_path):
    model = _functional(Model)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    model.fit(batch()["x"], batch()["y"], verbose=0)
    path = tmp_path / "m.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    assert isinstance(loaded, FunctionalModel)
    model.fit(batch()["x"], batch()["y"], verbose=0)
    loaded.fit(batch()["x"], batch()["y"], verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_of_a_trained_model_are_saved(tmp_path):
    model = Linear()
    model.compile(optimizer=keras.optimizers.SGD(0.01))
    model.fit(dataset(), verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    again = Linear()
    again.compile(optimizer=keras.optimizers.SGD(0.01))
    again.test_on_batch(batch())
    again.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(again.dense.kernel.numpy(), model.dense.kernel.numpy())


def test_compile_after_a_call():
    class Called(Linear):
        def call(self, x):
            return self.dense(x)

    model = Called()
    model(np.ones((1, 1)))
    model.compile(optimizer=keras.optimizers.SGD(0.01))
    assert model.fit(dataset(4, 4), verbose=0).history["loss"] == [16.0]
    assert model.predict(np.ones((3, 1)), verbose=0).shape == (3, 1)


def test_a_loop_of_ones_own():
    model = Nested()
    optimizer = keras.optimizers.SGD(0.5)
    with tf.GradientTape() as tape:
        loss = model.compute_loss({"x": np.ones((2, 1))}, training=True)
    assert float(loss) == 0.0, "a bare call is inference unless `training` is passed on"
    assert tape.gradient(loss, model.trainable_weights) is not None
    del optimizer


@pytest.mark.parametrize("built_before_fit", [True, False])
@pytest.mark.parametrize("own_loss", [True, False])
def test_every_step_of_a_graph_scales_by_the_scale_of_that_step(own_loss, built_before_fit):
    def trained(optimizer):
        if own_loss:
            model = Linear()
            if built_before_fit:
                model.dense.build((None, 1))
                model.built = True
            data = dataset(8, 2)
            model.compile(optimizer)
        else:
            inputs = keras.Input((1,))
            dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
            model = Model(inputs, dense(inputs))
            data = dataset(8, 2).map(lambda rows: (rows["x"], rows["y"]))
            model.compile(optimizer, loss="mse")
        model.fit(data, epochs=2, verbose=0)
        return model.trainable_variables[0].numpy()

    # Scales are powers of two, so that they change no bit: 2, 4, 8, ...
    scaled = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.01), initial_scale=2.0, dynamic_growth_steps=1
    )
    np.testing.assert_array_equal(trained(scaled), trained(keras.optimizers.SGD(0.01)))
