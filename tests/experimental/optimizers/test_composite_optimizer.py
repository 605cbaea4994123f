"""CompositeOptimizer on dense weights: routing, steps, saving and errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.experimental.optimizers import CompositeOptimizer

X = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
G = tf.constant([1.0, -2.0])


def weights(count=3):
    return [keras.Variable([1.0, 2.0], name=f"w{i}") for i in range(count)]


def model_with(first, second, **how):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    parts = [
        (first, lambda: model.layers[0].trainable_variables),
        (second, lambda: model.layers[1].trainable_variables),
    ]
    model.compile(CompositeOptimizer(parts), "mse", **how)
    return model


def test_each_part_moves_its_weights_as_alone():
    makers = (
        lambda: keras.optimizers.Adam(0.1, weight_decay=0.1),
        lambda: keras.optimizers.SGD(0.1, clipvalue=0.5, gradient_accumulation_steps=2),
    )
    both, alone = weights(), weights()
    composite = CompositeOptimizer(
        [(makers[0](), lambda: [both[1]]), (makers[1](), lambda: [both[2], both[0]])]
    )
    single = [make() for make in makers]
    for step in range(1, 6):
        gradients = [G * step, G / step, -G]
        composite.apply(gradients, both)
        single[0].apply(gradients[1:2], alone[1:2])
        single[1].apply(gradients[::2], alone[::2])
    for one, other in zip(both, alone, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert int(composite.iterations) == 5
    assert int(composite.optimizers[1].iterations) == 2


def test_an_optimizer_may_be_listed_twice():
    both, sgd = weights(2), keras.optimizers.SGD(0.5)
    composite = CompositeOptimizer([(sgd, lambda: both[:1]), (sgd, lambda: both[1:])])
    composite.apply([G, G], both)
    assert composite.optimizers == [sgd]
    assert both[0].numpy().tolist() == both[1].numpy().tolist() == [0.5, 3.0]


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}, {"steps_per_execution": 2}], ids=str)
def test_fit(how):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    model = model_with(keras.optimizers.Adam(schedule), keras.optimizers.SGD(0.05), **how)
    losses = model.fit(X, Y, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]
    assert int(model.optimizer.iterations) == 20


def test_a_saved_model_goes_on_where_it_was(tmp_path):
    model = model_with(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.1, beta_1=0.5))
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.keras")  # a second time: nothing of the first is in the way
    again = keras.models.load_model(tmp_path / "m.keras")
    assert type(again.optimizer) is CompositeOptimizer
    for one in (model, again):
        one.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    # The loaded one has no functions, and can be saved all the same.
    again.save(tmp_path / "n.keras")
    third = keras.models.load_model(tmp_path / "n.keras")
    assert [o.get_config() for o in third.optimizer.optimizers] == [
        o.get_config() for o in model.optimizer.optimizers
    ]


def test_a_checkpoint_holds_the_state_of_every_part(tmp_path):
    def made():
        return model_with(keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.1, momentum=0.9))

    model, other = made(), made()
    model.fit(X, Y, epochs=2, verbose=0)
    path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(tmp_path / "c"))
    other.optimizer.build(other.trainable_variables)
    tf.train.Checkpoint(model=other, optimizer=other.optimizer).read(path).assert_consumed()
    for one, two in zip(model.optimizer.variables, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    assert len(model.optimizer.variables) == 2 + 4 + 2 + 2


def test_state_is_read_and_set_as_a_list():
    model = model_with(keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.1, momentum=0.9))
    other = model_with(keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.1, momentum=0.9))
    model.fit(X, Y, verbose=0)
    other.optimizer.build(other.trainable_variables)
    other.optimizer.set_weights([v.numpy() for v in model.optimizer.variables])
    for one, two in zip(model.optimizer.variables, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


@pytest.mark.parametrize("change", ["count", "shape", "order", "unbuilt"])
def test_a_loaded_optimizer_is_for_the_weights_it_was_saved_with(change):
    first, second = keras.Variable([1.0, 2.0], name="a"), keras.Variable([1.0], name="b")
    sgd = keras.optimizers.SGD
    composite = CompositeOptimizer([(sgd(), lambda: [first]), (sgd(), lambda: [second])])
    if change != "unbuilt":
        composite.build([first, second])
    again = keras.optimizers.deserialize(keras.optimizers.serialize(composite))
    given = {
        "count": [first],
        "shape": [keras.Variable([1.0], name="a"), second],
        "order": [second, first],
        "unbuilt": [first, second],
    }[change]
    with pytest.raises(ValueError, match="must be built on the weights that it was saved with"):
        again.build(given)


def test_the_steps_of_all_parts_are_set_at_once():
    both = weights(2)
    composite = CompositeOptimizer(
        [
            (keras.optimizers.SGD(0.1), lambda: both[:1]),
            (keras.optimizers.SGD(0.1, gradient_accumulation_steps=3), lambda: both[1:]),
        ]
    )
    composite.iterations = 7
    assert [int(one.iterations) for one in composite.optimizers] == [7, 7]


def test_a_part_without_gradients_rests_and_keras_warns():
    both = weights(2)
    adam = keras.optimizers.Adam(0.1)
    composite = CompositeOptimizer(
        [(adam, lambda: both[:1]), (keras.optimizers.SGD(0.5), lambda: both[1:])]
    )
    with pytest.warns(UserWarning, match=r"Gradients do not exist for variables \['w0'\]"):
        composite.apply([None, G], both)
    assert both[0].numpy().tolist() == [1.0, 2.0]
    assert both[1].numpy().tolist() == [0.5, 3.0]
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        composite.apply([None, None], both)


def test_the_loss_scale_is_that_of_the_parts():
    both = weights(2)
    sgd = keras.optimizers.SGD
    parts = [(sgd(0.5, loss_scale_factor=8.0), lambda: both[:1])]
    parts.append((sgd(0.5, loss_scale_factor=8.0), lambda: both[1:]))
    composite = CompositeOptimizer(parts)
    assert float(composite.scale_loss(tf.constant(2.0))) == 16.0
    composite.apply([G * 8, G * 8], both)
    assert both[0].numpy().tolist() == both[1].numpy().tolist() == [0.5, 3.0]


def test_half_precision_scales_the_loss_around_it():
    keras.config.set_dtype_policy("mixed_float16")
    model = model_with(keras.optimizers.Adam(0.05), keras.optimizers.SGD(0.05))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    losses = model.fit(X, Y, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < 0.2 * losses[0]


def test_averages_are_written_at_the_end():
    model = model_with(
        keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.5), keras.optimizers.SGD(0.05)
    )
    model.fit(X, Y, epochs=2, verbose=0)
    part = model.optimizer.optimizers[0]
    averages = part._model_variables_moving_average
    for weight, average in zip(model.layers[0].trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(weight.numpy(), average.numpy())


def test_weights_are_excluded_from_every_decay():
    both = weights(2)
    sgd = keras.optimizers.SGD
    composite = CompositeOptimizer(
        [
            (sgd(0.1, weight_decay=1.0), lambda: both[:1]),
            (sgd(0.1, weight_decay=1.0), lambda: both[1:]),
        ]
    )
    composite.exclude_from_weight_decay(var_names=["w1"])
    composite.apply([tf.zeros(2), tf.zeros(2)], both)
    np.testing.assert_allclose(both[0].numpy(), [0.9, 1.8])
    assert both[1].numpy().tolist() == [1.0, 2.0]


def test_the_learning_rate_is_read_but_not_set():
    composite = CompositeOptimizer([(keras.optimizers.SGD(0.25), list)])
    assert float(composite.learning_rate) == 0.25
    with pytest.raises(AttributeError, match=r"must be set on one of the optimizers"):
        composite.learning_rate = 0.1


W = weights(2)
SGD = keras.optimizers.SGD
BAD = {
    "none": (lambda: CompositeOptimizer([]), "`optimizers_and_vars` must not be empty"),
    "scaler": (
        lambda: CompositeOptimizer([(keras.optimizers.LossScaleOptimizer(SGD()), list)]),
        "Put the LossScaleOptimizer around",
    ),
    "nested": (
        lambda: CompositeOptimizer([(CompositeOptimizer([(SGD(), list)]), list)]),
        "nor has parts. Received: CompositeOptimizer",
    ),
    "name": (lambda: CompositeOptimizer([("sgd", list)]), "must be a Keras optimizer"),
    "scales": (
        lambda: CompositeOptimizer([(SGD(loss_scale_factor=2.0), list), (SGD(), list)]),
        "`loss_scale_factor` must be the same in every optimizer.*Received: 2.0, None",
    ),
    "twice": (
        lambda: CompositeOptimizer([(SGD(), lambda: W), (SGD(), lambda: W[:1])]).build(W),
        "such as 'w0', must be the weight of one optimizer. Received: functions that give it to m",
    ),
    "left_out": (
        lambda: CompositeOptimizer([(SGD(), lambda: W[:1])]).build(W),
        "such as 'w1', must be the weight of an optimizer, or it would not be trained",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
