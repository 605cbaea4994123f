"""What recs relies on of Keras's inside, each as small as it can be shown."""

from __future__ import annotations

import keras
import numpy as np

import recs
from recs import keras_contract


class Asks(keras.layers.Layer):
    def __call__(self, *args, **kwargs):
        self.outermost = keras_contract.outermost_layer(self).name
        return super().__call__(*args, **kwargs)

    def call(self, x):
        return x * 2.0


class Holds(keras.Model):
    def __init__(self):
        super().__init__(name="holds")
        self.asks = Asks(name="asks")

    def call(self, x):
        self.asks(keras.ops.ones((1,)))
        return self.asks(x)


def test_the_outermost_layer_of_a_call_is_the_model():
    x = keras.ops.ones((1, 1))
    model = Holds()
    model(x)
    assert model.asks.outermost == "holds"
    model.compile("sgd", "mse")
    model.asks.outermost = None
    model.predict(np.ones((2, 1)), verbose=0)
    assert model.asks.outermost == "holds"
    alone = Asks(name="alone")
    alone(x)
    assert alone.outermost == "alone"


def test_asking_leaves_no_context_behind():
    class Penalized(keras.layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.sum(x))
            return x

    keras_contract.outermost_layer(Asks())
    layer = Penalized()
    for _ in range(2):  # a context left behind would keep the loss of the first call
        layer(keras.ops.ones((1,)))
    assert len(layer.losses) == 1


def test_optimizers_are_found_behind_scales_and_parts():
    adam, sgd = keras.optimizers.Adam(), keras.optimizers.SGD()
    composite = recs.experimental.optimizers.CompositeOptimizer([(adam, list), (sgd, list)])
    scaled = keras.optimizers.LossScaleOptimizer(adam)
    found = [keras_contract.updating_optimizers(one) for one in (adam, scaled, composite, None)]
    assert found == [[adam], [adam], [adam, sgd], []]


class Noted(keras.Variable):
    """A scalar that notes how it is read and set."""

    def __init__(self, **kwargs):
        super().__init__("zeros", shape=(), dtype="float32", **kwargs)
        self.noted = []

    def numpy(self):
        self.noted.append("numpy")
        return "value"

    def assign(self, value):
        self.noted.append(value)


class Shaped:
    shape = ()


def test_weights_are_kept_by_numpy_and_restored_by_assign():
    layer = keras.layers.Layer()
    layer.weight = Noted()
    assert layer.weights == [layer.weight]
    assert layer.get_weights() == ["value"]
    value = Shaped()
    layer.set_weights([value])
    assert layer.weight.noted == ["numpy", value]


def test_a_constraint_gets_the_variable_and_its_result_is_assigned():
    variable, calls = Noted(), []
    variable.constraint = lambda v: calls.append(v) or v
    optimizer = keras.optimizers.SGD()
    optimizer.apply([keras.ops.zeros(())], [variable])
    assert calls == [variable]
    assert variable.noted == [variable]  # the optimizer itself moves what is behind it


def test_weights_and_variables_of_a_model_are_asked_of_its_layers():
    extra = keras.Variable(1.0, trainable=False)

    class Adds(keras.layers.Layer):
        @property
        def weights(self):
            return [*super().weights, extra]

        @property
        def variables(self):
            return [*super().variables, extra]

    model = keras.Sequential([keras.Input((1,)), Adds()])
    assert extra in model.weights
    assert extra in model.non_trainable_variables
