"""Inner steps: gradient descent of a tower on the support of each task, all tasks at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from recs.meta.adapting_tower import AdaptingTower, Change

# From labels `(tasks, n, label)` and outputs `(tasks, n, out)` to losses `(tasks, n)`.
SampleLoss: TypeAlias = Callable[[Any, Any], Any]


class Samples(NamedTuple):
    """Samples of tasks.

    Attributes:
        inputs: `(tasks, n, in)` float32, what the adapting layers are given.
        labels: `(tasks, n, label)` float32.
        mask: `(tasks, n)` bool, which of them there are.
    """

    inputs: tf.Tensor
    labels: tf.Tensor
    mask: tf.Tensor


def mean_losses(loss: SampleLoss, labels: Any, outputs: Any, mask: tf.Tensor) -> tf.Tensor:
    """Returns the mean loss of each task's samples, `(tasks,)`; 0 of a task without any."""
    there = tf.cast(mask, tf.float32)
    losses = tf.cast(loss(labels, outputs), tf.float32)
    total = tf.reduce_sum(tf.where(mask, losses, 0.0), axis=1)
    return total / tf.maximum(tf.reduce_sum(there, axis=1), 1.0)


def adapt(
    tower: AdaptingTower,
    support: Samples,
    loss: SampleLoss,
    rate: float,
    steps: int,
    first_order: bool,
) -> list[Change | None]:
    """Returns what `steps` steps of gradient descent on its support change in each task's layers.

    `W_t <- W_t - rate dL_t / dW_t`, where `L_t` is the mean loss of the task's samples. The inputs
    are constants: nothing before the tower is reached through them.

    Args:
        tower: The layers.
        support: The samples.
        loss: Of a sample.
        rate: The step size.
        steps: How many steps.
        first_order: Whether the gradient takes the changes for constants.
    """
    inputs, labels = (tf.stop_gradient(part) for part in support[:2])
    support = Samples(inputs, labels, support.mask)
    changes = tower.unchanged()
    for _ in range(steps):
        hidden, deltas = _gradients(tower, support, loss, changes)
        moved = zip(changes, hidden, deltas, strict=True)
        changes = [
            None if delta is None else _added(change, h, -rate * delta, index == 0, first_order)
            for index, (change, h, delta) in enumerate(moved)
        ]
    return changes


def _gradients(
    tower: AdaptingTower, support: Samples, loss: SampleLoss, changes: list[Change | None]
) -> tuple[list[tf.Tensor], list[tf.Tensor | None]]:
    """Returns the inputs of every layer, and the gradient before the activation of those adapting.

    The gradient of a layer's weights is the product of the two.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        h, inputs, before = support.inputs, [], []
        for index, change in enumerate(changes):
            inputs.append(h)
            z = tower.pre_activation(index, h, change)
            tape.watch(z)
            before.append(z)
            h = tower.activated(index, z)
        total = tf.reduce_sum(mean_losses(loss, support.labels, h, support.mask))
    wanted = [z for z, adapts in zip(before, tower.adapting, strict=True) if adapts]
    found = iter(tape.gradient(total, wanted, unconnected_gradients="zero"))
    return inputs, [next(found) if adapts else None for adapts in tower.adapting]


def _added(
    change: Change | None, h: tf.Tensor, deltas: tf.Tensor, same_inputs: bool, constant: bool
) -> Change:
    """Returns a change and one step more."""
    if constant:
        h, deltas = tf.stop_gradient(h), tf.stop_gradient(deltas)
    if change is None:
        return Change(h, deltas)
    if same_inputs:  # the first layer sees the same at every step
        return Change(h, change.deltas + deltas)
    return Change(tf.concat([change.inputs, h], axis=1), tf.concat([change.deltas, deltas], axis=1))
