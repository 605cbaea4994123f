"""Rows of a table move as the Keras optimizer moves a dense weight, for every class and option."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.layers import DynamicEmbedding
from recs.optimizers.row_update import row_update
from tests.layers.dynamic_embedding.dense_twin import DIM, initial_rows

VOCABULARY = 6
STEPS = 20

KERAS = keras.optimizers
OWN = recs.optimizers
SCHEDULE = keras.optimizers.schedules.ExponentialDecay(0.03, 10, 0.7)
OPTIMIZERS = {
    "sgd": lambda: KERAS.SGD(0.01, weight_decay=0.05),
    "momentum": lambda: KERAS.SGD(SCHEDULE, momentum=0.8, weight_decay=0.05),
    "nesterov": lambda: KERAS.SGD(0.01, momentum=0.8, nesterov=True, clipvalue=0.7),
    "adagrad": lambda: KERAS.Adagrad(0.1, weight_decay=0.02),
    "adam": lambda: KERAS.Adam(0.01, weight_decay=0.1, clipnorm=2.0),
    "amsgrad": lambda: KERAS.Adam(0.01, amsgrad=True),
    "amsgrad_with_schedule": lambda: KERAS.Adam(SCHEDULE, amsgrad=True, weight_decay=0.1),
    "adamw": lambda: KERAS.AdamW(0.01),
    "adamw_of_everything": lambda: KERAS.AdamW(
        SCHEDULE, 0.3, 0.8, 0.99, 1e-4, amsgrad=True, clipvalue=0.5, gradient_accumulation_steps=2
    ),
    "adamax": lambda: KERAS.Adamax(0.01),
    "adamax_with_options": lambda: KERAS.Adamax(SCHEDULE, 0.8, 0.9, weight_decay=0.1, clipnorm=1.0),
    "nadam": lambda: KERAS.Nadam(0.01),
    "nadam_with_options": lambda: KERAS.Nadam(
        SCHEDULE, 0.8, 0.99, weight_decay=0.1, gradient_accumulation_steps=2
    ),
    "adadelta": lambda: KERAS.Adadelta(1.0, epsilon=1e-3),
    "adadelta_with_options": lambda: KERAS.Adadelta(0.5, 0.8, 1e-2, weight_decay=0.1, clipnorm=2.0),
    "rmsprop": lambda: KERAS.RMSprop(0.01),
    "rmsprop_with_momentum": lambda: KERAS.RMSprop(SCHEDULE, momentum=0.5, weight_decay=0.1),
    "rmsprop_centered": lambda: KERAS.RMSprop(0.01, centered=True, epsilon=1e-3),
    "rmsprop_centered_with_momentum": lambda: KERAS.RMSprop(
        0.01, 0.8, 0.5, epsilon=1e-3, centered=True, gradient_accumulation_steps=2
    ),
    "ftrl": lambda: KERAS.Ftrl(0.1),
    "ftrl_with_options": lambda: KERAS.Ftrl(
        0.2,
        initial_accumulator_value=0.5,
        l1_regularization_strength=0.2,
        l2_regularization_strength=0.1,
        l2_shrinkage_regularization_strength=0.05,
        beta=0.3,
        weight_decay=0.1,
        clipvalue=1.0,
    ),
    "ftrl_of_another_power": lambda: KERAS.Ftrl(0.1, learning_rate_power=-0.3),
    "lion": lambda: KERAS.Lion(0.01),
    "lion_with_options": lambda: KERAS.Lion(SCHEDULE, 0.8, 0.95, weight_decay=0.3, clipnorm=1.0),
    "rowwise_adagrad": lambda: OWN.RowWiseAdagrad(0.05),
    "rowwise_adagrad_with_options": lambda: OWN.RowWiseAdagrad(
        SCHEDULE, 0.5, 0.1, weight_decay=0.1, gradient_accumulation_steps=2
    ),
    "adagrad_decay": lambda: OWN.AdagradDecay(0.05, decay_steps=7, decay_rate=0.5),
    "adagrad_decay_with_options": lambda: OWN.AdagradDecay(
        SCHEDULE, 0.5, 3, 0.3, 1e-3, weight_decay=0.1, gradient_accumulation_steps=2
    ),
    "lazy_adam": lambda: OWN.LazyAdam(0.01, weight_decay=0.1),
    "lazy_adam_that_decays": lambda: OWN.LazyAdam(0.01, skipped="decay", weight_decay=0.1),
    "lazy_adam_by_row": lambda: OWN.LazyAdam(SCHEDULE, bias_correction="row", clipvalue=0.5),
    "lazy_adam_that_decays_by_row": lambda: OWN.LazyAdam(
        0.01, skipped="decay", bias_correction="row", gradient_accumulation_steps=2
    ),
    "group_ftrl": lambda: OWN.GroupFtrl(0.1, l21_regularization_strength=0.4),
    "group_ftrl_with_options": lambda: OWN.GroupFtrl(
        0.2,
        -0.3,
        0.5,
        l1_regularization_strength=0.1,
        l2_regularization_strength=0.1,
        l21_regularization_strength=0.2,
        l2_shrinkage_regularization_strength=0.05,
        beta=0.3,
        weight_decay=0.1,
    ),
}
# Those whose dense selves leave alone what has no gradient, or decay it as a table catches up on.
# (Keras's Ftrl solves for the same row again, which moves it by rounding.)
RESTING = ["adagrad_decay", "adagrad_decay_with_options", "rowwise_adagrad"]


class Twins:
    """A table and a dense weight with the same rows, given the same gradients."""

    def __init__(self, make, *, applied: bool) -> None:
        """`applied`: the layer's own optimizer is the one that Keras applies to its anchor."""
        own = make()
        self.layer = DynamicEmbedding(DIM, optimizer=own, name="table")
        self.layer.table.upsert(np.arange(VOCABULARY), initial_rows(VOCABULARY))
        self.optimizer = own if applied else KERAS.SGD()
        self.dense = keras.Variable(initial_rows(VOCABULARY))
        self.dense_optimizer = make()

    def step(self, ids: np.ndarray, gradients: np.ndarray) -> None:
        self.step_table(ids, gradients)
        summed = np.zeros((VOCABULARY, DIM), "float32")
        np.add.at(summed, ids, gradients)
        self.dense_optimizer.apply([tf.constant(summed)], [self.dense])

    def step_table(self, ids: np.ndarray, gradients: np.ndarray) -> None:
        variables = self.layer.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self.layer(ids, training=True) * gradients)
        of_anchor = tape.gradient(loss, [v.value for v in variables])
        self.optimizer.apply(of_anchor, variables)

    @property
    def rows(self) -> np.ndarray:
        return self.layer.table.lookup(np.arange(VOCABULARY))

    def check(self) -> None:
        np.testing.assert_allclose(self.rows, self.dense.numpy(), atol=1e-6, rtol=1e-6)


def gradients_of(rng: np.random.Generator, n: int) -> np.ndarray:
    return (rng.normal(size=(n, DIM)) * 0.5).astype("float32")


@pytest.mark.parametrize("applied", [False, True], ids=["own_step", "step_of_keras"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rows_equal_keras_with_the_dense_gradient(name, applied):
    twins = Twins(OPTIMIZERS[name], applied=applied)
    rng = np.random.default_rng(len(name))
    for _ in range(STEPS):
        ids = np.concatenate([np.arange(VOCABULARY), rng.integers(0, VOCABULARY, 3)])
        twins.step(ids, gradients_of(rng, len(ids)))
    assert np.abs(twins.dense.numpy() - initial_rows(VOCABULARY)).max() > 0.05
    twins.check()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_engine_keeps_the_slots_that_the_mapping_says(name):
    optimizer = OPTIMIZERS[name]()
    twins = Twins(OPTIMIZERS[name], applied=False)
    for _ in range(optimizer.gradient_accumulation_steps or 1):
        twins.step_table(np.array([1]), np.ones((1, DIM), "float32"))
    stats, rule = twins.layer.table.stats(), row_update(optimizer, where="").rule
    assert (stats["optimizer"], stats["slots"]) == (rule.name, rule.slots)


@pytest.mark.parametrize("name", RESTING)
def test_rows_of_some_steps_equal_keras_with_the_dense_gradient(name):
    def make():
        optimizer = OPTIMIZERS[name]()
        optimizer.weight_decay = None  # in a table it is of the rows of the step
        return optimizer

    twins = Twins(make, applied=False)
    rng = np.random.default_rng(5)
    for _ in range(STEPS):
        ids = rng.choice(VOCABULARY, 2, replace=False)
        twins.step(ids, gradients_of(rng, 2))
    twins.check()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rows_outside_the_batch_rest_to_the_bit(name):
    twins = Twins(OPTIMIZERS[name], applied=False)
    rng = np.random.default_rng(5)
    for _ in range(4):
        twins.step_table(np.array([0, 2, 2]), gradients_of(rng, 3))
    rested = [1, 3, 4, 5]
    np.testing.assert_array_equal(twins.rows[rested], initial_rows(VOCABULARY)[rested])
    moved = np.abs(twins.rows[[0, 2]] - initial_rows(VOCABULARY)[[0, 2]])
    assert moved.max(axis=1).min() > 0


@pytest.mark.parametrize("name", ["adamw", "ftrl_with_options", "lazy_adam", "rowwise_adagrad"])
def test_a_loss_scale_is_divided_out_before_decay_and_clipping(name):
    scaled = Twins(lambda: KERAS.LossScaleOptimizer(OPTIMIZERS[name](), 256.0), applied=True)
    plain = Twins(OPTIMIZERS[name], applied=True)
    rng = np.random.default_rng(6)
    for _ in range(20):
        gradients = gradients_of(rng, VOCABULARY)
        scaled.step_table(np.arange(VOCABULARY), gradients * 256.0)
        plain.step_table(np.arange(VOCABULARY), gradients)
    np.testing.assert_allclose(scaled.rows, plain.rows, atol=1e-6, rtol=1e-6)


def test_weight_decay_is_of_the_rows_of_the_step():
    twins = Twins(lambda: KERAS.SGD(0.5, weight_decay=0.5), applied=False)
    twins.step_table(np.array([1]), np.zeros((1, DIM), "float32"))
    expected = initial_rows(VOCABULARY)
    expected[1] *= 0.75
    np.testing.assert_allclose(twins.rows, expected, rtol=1e-6)


@pytest.mark.parametrize("by", ["layer", "name"])
@pytest.mark.parametrize("applied", [False, True])
def test_a_table_can_be_excluded_from_weight_decay(by, applied):
    twins = Twins(lambda: KERAS.AdamW(0.01, weight_decay=0.5), applied=applied)
    if by == "layer":
        twins.layer.optimizer.exclude_from_weight_decay(var_list=twins.layer.trainable_variables)
    else:
        twins.layer.optimizer.exclude_from_weight_decay(var_names=["table", "bias"])
    twins.dense_optimizer.exclude_from_weight_decay(var_list=[twins.dense])
    rng = np.random.default_rng(2)
    for _ in range(5):
        twins.step(np.arange(VOCABULARY), gradients_of(rng, VOCABULARY))
    twins.check()


def test_to_exclude_another_weight_leaves_the_table_in():
    twins = Twins(lambda: KERAS.AdamW(0.01, weight_decay=0.5), applied=False)
    twins.layer.optimizer.exclude_from_weight_decay(var_names=["bias"])
    twins.step(np.arange(VOCABULARY), np.ones((VOCABULARY, DIM), "float32"))
    twins.check()


def test_a_row_that_comes_late_is_corrected_by_its_own_updates():
    rows = {}
    for correction in ("table", "row"):
        twins = Twins(lambda c=correction: OWN.LazyAdam(0.1, bias_correction=c), applied=False)
        for _ in range(30):
            twins.step_table(np.array([0]), np.ones((1, DIM), "float32"))
        twins.step_table(np.array([1]), np.ones((1, DIM), "float32"))
        rows[correction] = (initial_rows(VOCABULARY) - twins.rows)[1]
    np.testing.assert_allclose(rows["row"], 0.1, rtol=1e-4)
    alpha = 0.1 * np.sqrt(1 - 0.999**31) / (1 - 0.9**31)
    np.testing.assert_allclose(rows["table"], alpha * 0.1 / np.sqrt(0.001), rtol=1e-4)


def test_other_slots_of_the_same_optimizer_start_anew_and_warn():
    twins = Twins(lambda: KERAS.RMSprop(0.1, momentum=0.5), applied=False)
    twins.step_table(np.array([0]), np.ones((1, DIM), "float32"))
    other = Twins(lambda: KERAS.RMSprop(0.1), applied=False)
    other.layer.table.deserialize(twins.layer.table.serialize())
    with pytest.warns(UserWarning, match="'rmsprop' with 1 slots after 2.*slots start anew"):
        other.step_table(np.array([0]), np.ones((1, DIM), "float32"))


@pytest.mark.parametrize("name", [n for n in OPTIMIZERS if "_" in n])
def test_training_goes_on_after_a_restore_as_if_there_had_been_none(name):
    whole, parts = (Twins(OPTIMIZERS[name], applied=False) for _ in range(2))
    rng = np.random.default_rng(3)
    for step in range(12):
        ids = rng.choice(VOCABULARY, 3, replace=False)
        gradients = gradients_of(rng, 3)
        whole.step_table(ids, gradients)
        if step == 6:
            state, parts = parts.layer.table.serialize(), Twins(OPTIMIZERS[name], applied=False)
            parts.layer.table.deserialize(state)
        parts.step_table(ids, gradients)
    np.testing.assert_array_equal(parts.rows, whole.rows)
