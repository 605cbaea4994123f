"""The outer loss: what adapted towers make of samples that they were not adapted to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from recs.errors import explain
from recs.meta.adapt import SampleLoss, Samples, adapt, mean_losses
from recs.meta.adapting_tower import AdaptingTower, Change

METHODS = ("maml", "first_order_maml", "reptile")


class MetaLoss(NamedTuple):
    """Result of `meta_loss`.

    Attributes:
        loss: The mean over the tasks, a scalar; 0 where there are none.
        tasks: How many tasks there were, a float32 scalar.
    """

    loss: tf.Tensor
    tasks: tf.Tensor


def check_arguments(method: str, sizes: Mapping[str, int], where: str) -> None:
    """Raises a ValueError unless the method is known and all sizes are positive integers."""
    if method not in METHODS:
        rule = f"must be one of {', '.join(METHODS)}"
        received = f"method={method!r}"
        raise ValueError(explain("`method`", rule=rule, received=received, where=where))
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            rule, received = "must be a positive integer", f"{name}={value!r}"
            raise ValueError(explain(f"`{name}`", rule=rule, received=received, where=where))


def meta_loss(
    tower: AdaptingTower,
    support: Samples,
    query: Samples,
    loss: SampleLoss,
    *,
    method: str,
    rate: float,
    steps: int,
) -> MetaLoss:
    """Returns the loss whose gradient is the outer gradient of a method.

    `"maml"`: the mean over tasks of `L_query(W_t)`, differentiated through the inner steps;
    `"first_order_maml"`: the same with `dW_t / dW = 1`. `"reptile"`: support and query samples
    are one set, and the gradient of the weights that adapt is the mean of `(W - W_t) / rate`; all
    else has the gradient of the loss that `W_t` has on the set.

    Args:
        tower: The layers.
        support: What tasks are adapted to.
        query: What they are judged by.
        loss: Of a sample.
        method: One of `METHODS`.
        rate: The size of an inner step.
        steps: How many inner steps.
    """
    if method == "reptile":
        both = zip(support, query, strict=True)
        support = query = Samples(*(tf.concat(pair, axis=1) for pair in both))
    counts = [tf.reduce_any(samples.mask, axis=1) for samples in (support, query)]
    counted = tf.cast(tf.logical_and(*counts), tf.float32)
    tasks = tf.reduce_sum(counted)
    share = counted / tf.maximum(tasks, 1.0)
    changes = adapt(tower, support, loss, rate, steps, first_order=method != "maml")
    outputs = tower.run(query.inputs, changes, frozen=method == "reptile")
    losses = mean_losses(loss, query.labels, outputs, query.mask)
    total = tf.reduce_sum(losses * share)
    if method == "reptile":
        total += _towards(tower, changes, share, rate)
    return MetaLoss(total, tasks)


def _towards(
    tower: AdaptingTower, changes: list[Change | None], share: tf.Tensor, rate: float
) -> tf.Tensor:
    """Returns 0 with the gradient `sum_t share_t (W - W_t) / rate` of the layers that adapt."""
    total = tf.zeros(())
    for layer, change in zip(tower.layers, changes, strict=True):
        if change is None:
            continue
        deltas = change.deltas * (share / -rate)[:, tf.newaxis, tf.newaxis]
        kernel = tf.einsum("tni,tno->io", change.inputs, deltas)
        gradients = [(layer.kernel, kernel)]
        if layer.bias is not None:
            gradients.append((layer.bias, tf.reduce_sum(deltas, axis=[0, 1])))
        for weight, gradient in gradients:
            weight = tf.cast(tf.convert_to_tensor(weight), tf.float32)
            product = tf.reduce_sum(weight * tf.stop_gradient(gradient))
            total += product - tf.stop_gradient(product)
    return total
