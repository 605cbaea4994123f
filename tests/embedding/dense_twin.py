"""The oracle: `tf.nn` on a dense variable that holds a copy of the table's rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from recs.layers import DynamicEmbedding

DIM = 3
VOCABULARY = 9
RATE = 0.1
EAGER_AND_GRAPH = (False, True)


@dataclasses.dataclass(frozen=True)
class Twins:
    """A table, and a dense variable of the same rows, the row of key `keys[i]` at `i`."""

    layer: DynamicEmbedding
    dense: tf.Variable
    keys: np.ndarray

    def sparse_keys(self, indices: tf.SparseTensor) -> tf.SparseTensor:
        """The ids of the table for those of the variable."""
        return indices.with_values(tf.gather(tf.constant(self.keys), indices.values))

    def rows(self) -> np.ndarray:
        """The table's rows, in the order of the variable's."""
        return self.layer.table.lookup(self.keys)


def twins(key_dtype: str = "int64", *, in_order: bool = False, **arguments) -> Twins:
    """Tables whose rows have norms from 0 to about 4; keys negative and huge, or `in_order`."""
    rows = np.random.default_rng(1).normal(size=(VOCABULARY, DIM)).astype("float32")
    rows *= np.linspace(0.0, 2.5, VOCABULARY, dtype="float32")[:, None]
    numbers = np.arange(VOCABULARY)
    keys = numbers if in_order else (numbers - 4) * 2**60
    if key_dtype == "string":
        keys = np.array([f"key {number}" for number in numbers], object)
    arguments.setdefault("optimizer", keras.optimizers.SGD(RATE))
    layer = DynamicEmbedding(DIM, key_dtype=key_dtype, **arguments)
    layer.table.upsert(keys, rows)
    return Twins(layer, tf.Variable(rows), keys)


def loss_of(output) -> tf.Tensor:
    """A loss whose gradient differs from element to element."""
    flat = tf.reshape(output, [-1])
    places = tf.range(tf.size(flat), dtype=flat.dtype)
    return tf.reduce_sum(flat * tf.cos(places) + flat**2)


def check_values_and_step(
    both: Twins,
    look_up: Callable[..., tf.Tensor],
    oracle: Callable[..., tf.Tensor],
    weights: np.ndarray | None = None,
    *,
    compiled: bool = False,
) -> tf.Tensor:
    """Checks that the two agree in values, in the gradients of rows, and in those of weights.

    Args:
        both: The tables.
        look_up: Of the table, with the weights if there are any.
        oracle: Of the variable, likewise.
        weights: Numbers that are trained through.
        compiled: Whether the step of the table is in a `tf.function`.

    Returns:
        The output.
    """
    given = [] if weights is None else [tf.constant(weights)]
    apply = keras.optimizers.SGD(RATE)
    apply.build(both.layer.trainable_variables)

    def step():
        with tf.GradientTape() as tape:
            tape.watch(given)
            output = look_up(*given)
            loss = loss_of(output)
        of_layer, of_weights = tape.gradient(loss, (both.layer.trainable_variables, given))
        apply.apply_gradients(zip(of_layer, both.layer.trainable_variables, strict=True))
        return output, of_weights

    with tf.GradientTape() as tape:
        tape.watch(given)
        expected = oracle(*given)
        loss = loss_of(expected)
    of_rows, expected_of_weights = tape.gradient(loss, (both.dense, given))
    both.dense.assign_sub(RATE * tf.convert_to_tensor(of_rows))

    output, of_weights = (tf.function(step) if compiled else step)()
    assert output.shape == expected.shape
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(both.rows(), both.dense, rtol=1e-5, atol=1e-6)
    for found, wanted in zip(of_weights, expected_of_weights, strict=True):
        found, wanted = map(tf.convert_to_tensor, (found, wanted))
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    return output
