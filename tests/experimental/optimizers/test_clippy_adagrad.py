"""ClippyAdagrad against its formula in NumPy, in `fit`, saved, and what tables say to it."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.experimental.optimizers import ClippyAdagrad
from recs.layers import DynamicEmbedding


def numpy_steps(w, gradients, lr, start, of_w, of_a, absolute, epsilon, update):
    """Returns the weight after all steps, and the scale of each."""
    a, scales = np.full(w.shape, start), []
    for g in gradients:
        if update == "standard":
            a = a + g**2
        p = 1 / np.sqrt(a + epsilon)
        d = lr * g * p
        bound = np.abs(w) * of_w + p * of_a + absolute
        scale = min([1.0, *(b / abs(x) for b, x in zip(bound.flat, d.flat, strict=True) if x)])
        w, scales = w - scale * d, [*scales, scale]
        if update != "standard":
            a = a + (g * (scale if update == "clipped" else 1.0)) ** 2
    return w, scales


@pytest.mark.parametrize(
    ("update", "shape"),
    list(itertools.product(["delayed", "clipped", "standard"], [(), (5,), (3, 4)])),
)
def test_formula(update, shape):
    rng = np.random.default_rng(len(shape))
    first = rng.normal(size=shape)
    gradients = rng.normal(size=(10, *shape)) * (rng.random((10, *shape)) > 0.3)
    constants = (0.5, 0.2, 0.3, 0.02, 1e-3, 1e-4)
    weight = keras.Variable(first)
    optimizer = ClippyAdagrad(
        *constants,
        export_clipping_factors=True,
        clip_accumulator_update=update == "clipped",
        use_standard_accumulator_update=update == "standard",
    )
    scales = []
    for g in gradients:
        optimizer.apply([tf.constant(g, "float32")], [weight])
        scales.append(float(optimizer.clipping_factors[0].numpy()))
    expected, expected_scales = numpy_steps(first, gradients, *constants, update)
    np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scales, expected_scales, rtol=1e-4)
    assert min(scales) < 1


def test_no_element_changes_by_more_than_its_bound():
    rng = np.random.default_rng(3)
    weight = keras.Variable(rng.normal(size=100))
    before = weight.numpy()
    ClippyAdagrad(100.0).apply([tf.constant(rng.normal(size=100), "float32")], [weight])
    change = np.abs(weight.numpy() - before)
    assert (change <= 0.1 * np.abs(before) + 1e-6).all()
    assert (change > 0).all()


def test_rows_without_a_gradient_do_not_shorten_the_step():
    weight = keras.Variable([[1.0, 1.0], [0.0, 0.0]])
    gradient = tf.IndexedSlices(tf.constant([[1.0, 1.0]]), [0], [2, 2])
    ClippyAdagrad(0.01).apply([gradient], [weight])
    assert (weight.numpy()[0] < 0.98).all()
    assert (weight.numpy()[1] == 0).all()


def test_an_empty_weight_is_left_alone():
    weight = keras.Variable(np.zeros((0, 3)))
    optimizer = ClippyAdagrad(export_clipping_factors=True)
    optimizer.apply([tf.zeros((0, 3))], [weight])
    assert float(optimizer.clipping_factors[0].numpy()) == 1.0


def test_clipping_factors_are_exported_on_demand():
    weight, optimizer = keras.Variable([1.0]), ClippyAdagrad()
    optimizer.apply([tf.constant([1.0])], [weight])
    assert optimizer.clipping_factors == []


def model_with(optimizer, **how):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer, "mse", **{"jit_compile": False, **how})
    return model


X = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}, {"jit_compile": True}], ids=str)
def test_fit(how):
    # With the default threshold, biases that begin with zeros would hardly move.
    model = model_with(ClippyAdagrad(1.0, absolute_threshold=0.01), **how)
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(32)
    before = model.evaluate(data, verbose=0)
    model.fit(data.repeat(60), verbose=0)
    assert model.evaluate(data, verbose=0) < 0.05 * before


def test_a_saved_model_goes_on_where_it_was(tmp_path):
    model = model_with(ClippyAdagrad(0.5, export_clipping_factors=True))
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    for one in (model, again):
        one.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    factors = [[f.numpy() for f in one.optimizer.clipping_factors] for one in (model, again)]
    assert factors[0] == factors[1] != []


def test_configuration_returns_every_argument():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    optimizer = ClippyAdagrad(
        schedule, 0.2, 0.3, 0.4, 0.5, 0.6, True, False, True, "mine", clipnorm=1.0
    )
    config = optimizer.get_config()
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == config
    assert config["use_standard_accumulator_update"] is True
    assert (config["epsilon"], config["absolute_threshold"], config["clipnorm"]) == (0.6, 0.5, 1.0)


BAD = {
    "threshold": (
        {"variable_relative_threshold": -0.1},
        r"`variable_relative_threshold` must be a number of at least 0. Received: "
        r"variable_relative_threshold=-0.1 \(in ClippyAdagrad 'ClippyAdagrad'\)",
    ),
    "absolute": ({"absolute_threshold": -1.0}, "`absolute_threshold` must be a number of at"),
    "both": (
        {"clip_accumulator_update": True, "use_standard_accumulator_update": True},
        "must not both be True",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    arguments, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        ClippyAdagrad(**arguments)


def test_tables_refuse_it_with_the_reason():
    with pytest.raises(ValueError, match=r"optimizer=ClippyAdagrad.*Why: one factor.*Give the"):
        DynamicEmbedding(2, optimizer=ClippyAdagrad())
