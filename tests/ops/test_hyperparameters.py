"""A step whose hyperparameters could make a row NaN is refused, whole, before any row changes."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.ops.library import ops
from recs.ops.table import Table
from recs.optimizers.engine_rules import ENGINE_RULES

NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
RULES = [
    ENGINE_RULES[kind](kind(**arguments).get_config())
    for kind in ENGINE_RULES
    for arguments in ([{}, {"amsgrad": True}] if kind is keras.optimizers.Adam else [{}])
]
RULES += [
    ENGINE_RULES[keras.optimizers.RMSprop](keras.optimizers.RMSprop(centered=True).get_config())
]


def commit(tables: list[Table], rule: Any, second: dict[str, Any]) -> list[int]:
    """Commits with good values, but for what `second` says of the last table."""
    n = len(tables)
    good = {"learning_rate": 0.1, "scale": 1.0, "weight_decay": 0.0, "clipnorm": 0.0,
            "clipvalue": 0.0, "parameters": rule.parameters, "step": 0}  # fmt: skip
    of = [good] * (n - 1) + [good | second]
    updated = ops().recs_tables_commit(
        [table.handle for table in tables],
        [tf.constant(values["learning_rate"]) for values in of],
        [tf.constant(values["step"], tf.int64) for values in of],
        [tf.constant(values["scale"]) for values in of],
        [tf.constant(True)] * n,
        optimizers=[rule.name] * n,
        parameters=[value for values in of for value in values["parameters"]],
        parameter_counts=[len(rule.parameters)] * n,
        weight_decays=[values["weight_decay"] for values in of],
        clipnorms=[values["clipnorm"] for values in of],
        clipvalues=[values["clipvalue"] for values in of],
    )
    return [int(count) for count in updated]


def layers() -> list[recs.layers.DynamicEmbedding]:
    made = [recs.layers.DynamicEmbedding(2, embeddings_initializer="ones") for _ in range(2)]
    for layer in made:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(np.array([1, 2]), training=True))
        tape.gradient(loss, layer.trainable_weights)
    return made


def hostile(rule: Any) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = [
        {name: value}
        for name in ("learning_rate", "scale", "weight_decay", "clipnorm", "clipvalue")
        for value in (*NOT_FINITE, -0.1)
    ]
    cases += [{"scale": 0.0}, {"step": 2**63 - 1}]
    for i, value in itertools.product(range(len(rule.parameters)), NOT_FINITE):
        parameters = list(rule.parameters)
        parameters[i] = value
        cases.append({"parameters": parameters})
    return cases


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_step_is_refused_as_a_whole(rule: Any) -> None:
    tables = [layer.table for layer in layers()]
    for case in hostile(rule):
        for order in (tables, tables[::-1]):
            with pytest.raises(tf.errors.InvalidArgumentError, match="No row was changed"):
                commit(order, rule, case)
        for table in tables:
            assert table.lookup([1, 2]).tolist() == [[1.0, 1.0], [1.0, 1.0]]
            assert table.stats()["step"] == 0
    assert commit(tables, rule, {}) == [2, 2]  # the gradients are still there
    assert all(np.isfinite(table.lookup([1, 2])).all() for table in tables)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_smallest_and_largest_accepted_values_keep_rows_finite(rule: Any) -> None:
    """Also of a gradient of zero, which divides by epsilon alone."""
    for learning_rate in (0.0, 2.0**-120):
        for gradient in (0.0, 1.0):
            layer = recs.layers.DynamicEmbedding(2, embeddings_initializer="ones")
            for step in range(3):
                with tf.GradientTape() as tape:
                    loss = gradient * tf.reduce_sum(layer(np.array([1]), training=True))
                tape.gradient(loss, layer.trainable_weights)
                values = {"learning_rate": learning_rate, "step": step}
                assert commit([layer.table], rule, values) == [1]
            assert np.isfinite(layer.table.lookup([1])).all()


@pytest.mark.parametrize("value", [*NOT_FINITE, -1.0])
@pytest.mark.parametrize("run_eagerly", [True, False])
def test_fit_with_a_schedule_that_fails_leaves_all_rows(value: float, run_eagerly: bool) -> None:
    @keras.saving.register_keras_serializable("tests")
    class Fails(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return tf.where(tf.cast(step, tf.int32) < 2, 0.1, value)

        def get_config(self) -> dict[str, Any]:
            return {}

    optimizer = keras.optimizers.Adam(Fails())
    tables = [recs.layers.TableConfig(name, 2, optimizer=optimizer) for name in ("a", "b")]
    features = [recs.layers.FeatureConfig(table.name, table) for table in tables]
    collection = recs.layers.EmbeddingCollection(features)
    inputs = {name: keras.Input((), name=name, dtype="int64") for name in ("a", "b")}
    found = collection(inputs)
    outputs = keras.layers.Dense(1)(keras.layers.Concatenate()([found["a"], found["b"]]))
    model = keras.Model(inputs, outputs)
    model.compile(optimizer, "mse", run_eagerly=run_eagerly)
    ids = {name: np.arange(4) for name in ("a", "b")}
    model.fit(ids, np.ones((4, 1)), batch_size=2, verbose=0)
    before = [table.lookup(np.arange(4)) for table in collection.tables]
    with pytest.raises(tf.errors.InvalidArgumentError, match="learning_rate"):
        model.fit(ids, np.ones((4, 1)), batch_size=2, verbose=0)
    after = [table.lookup(np.arange(4)) for table in collection.tables]
    assert np.array_equal(before, after)
