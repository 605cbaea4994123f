"""The update of a layer's tables when the optimizer applies."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.ops.library import ops
from recs.ops.table import Table
from recs.optimizers.engine_rules import EngineRule
from recs.optimizers.row_update import RowUpdate, config_of, row_update

_OWN_STEP = -1  # the table counts


@dataclasses.dataclass(frozen=True)
class _Commit:
    """The attributes of one table for the op.

    Attributes:
        update: The rule.
        learning_rate: Scalar float32.
        step: Updates before this one, scalar int64.
        scale: What pending gradients are multiplied by, scalar float32.
        now: Whether to update, or to keep the gradients for a later apply, scalar bool.
    """

    update: RowUpdate
    learning_rate: tf.Tensor
    step: tf.Tensor
    scale: tf.Tensor
    now: tf.Tensor


def commit(
    tables: Sequence[Table],
    optimizers: Sequence[keras.optimizers.Optimizer],
    *,
    loss_scale: tf.Tensor | float | None,
    anchor: keras.Variable,
    where: str,
) -> None:
    """Updates tables' rows from the pending gradients, in one op; runs once an `optimizer.apply`.

    Learning rate, step and gradient accumulation are the optimizer's when Keras applies it too;
    an optimizer that only the layer has is followed at the table's own step.

    Args:
        tables: The tables.
        optimizers: The optimizer that each follows.
        loss_scale: What the loss was multiplied by, divided out here. None for nothing.
        anchor: The layer's weight, by which `exclude_from_weight_decay` decides for its tables.
        where: The layer, for messages.
    """
    commits = [
        _commit_of(table, row_update(optimizer, where=where, anchor=anchor), optimizer, loss_scale)
        for table, optimizer in zip(tables, optimizers, strict=True)
    ]
    updates = [one.update for one in commits]
    for table, update in zip(tables, updates, strict=True):
        _warn_if_slots_will_be_reset(table, update.rule, where)
    ops().recs_tables_commit(
        [table.handle for table in tables],
        [one.learning_rate for one in commits],
        [one.step for one in commits],
        [one.scale for one in commits],
        [one.now for one in commits],
        optimizers=[update.rule.name for update in updates],
        parameters=[value for update in updates for value in update.rule.parameters],
        parameter_counts=[len(update.rule.parameters) for update in updates],
        weight_decays=[update.weight_decay for update in updates],
        clipnorms=[update.clipnorm for update in updates],
        clipvalues=[update.clipvalue for update in updates],
    )


def _commit_of(
    table: Table,
    update: RowUpdate,
    optimizer: keras.optimizers.Optimizer,
    loss_scale: tf.Tensor | float | None,
) -> _Commit:
    # Keras builds an optimizer on the weights it applies it to, and nobody builds the others.
    applied_by_keras = optimizer.built
    if applied_by_keras:
        step = tf.cast(optimizer.iterations, tf.int64)
        learning_rate = tf.cast(optimizer.learning_rate, tf.float32)
    else:
        step = tf.constant(_OWN_STEP, tf.int64)
        learning_rate = _own_learning_rate(optimizer, table)
    scale = tf.constant(1.0) if loss_scale is None else 1.0 / tf.cast(loss_scale, tf.float32)
    micro_steps = optimizer.gradient_accumulation_steps
    if not micro_steps:
        return _Commit(update, learning_rate, step, scale, tf.constant(True))
    done = _applies(optimizer) if applied_by_keras else ops().recs_table_held_applies(table.handle)
    now = (tf.cast(done, tf.int64) + 1) % micro_steps == 0
    return _Commit(update, learning_rate, step, scale / micro_steps, now)


def _applies(optimizer: keras.optimizers.Optimizer) -> Any:
    # `optimizer.iterations` counts updates; the variable behind it counts applies.
    return next(v for v in optimizer.variables if v.name == "iteration")


def _own_learning_rate(optimizer: keras.optimizers.Optimizer, table: Table) -> tf.Tensor:
    learning_rate = config_of(optimizer)["learning_rate"]
    if isinstance(learning_rate, dict):
        schedule = keras.saving.deserialize_keras_object(learning_rate)
        # Keras counts a schedule's steps by applies, of which the last one updates.
        applies = optimizer.gradient_accumulation_steps or 1
        step = ops().recs_table_step(table.handle) * applies + applies - 1
        return tf.cast(schedule(step), tf.float32)
    return tf.cast(optimizer.learning_rate, tf.float32)


def _warn_if_slots_will_be_reset(table: Table, rule: EngineRule, where: str) -> None:
    with tf.init_scope():
        stats = table.stats()
    before, slots = stats["optimizer"], stats["slots"]
    if not before or (before, slots) == (rule.name, rule.slots):
        return
    received = f"{rule.name!r} after {before!r}"
    if before == rule.name:
        if not slots:
            return  # there is nothing to lose
        received = f"{rule.name!r} with {rule.slots} slots after {slots}"
    warnings.warn(
        explain(
            "The optimizer of a trained table",
            rule="must stay the same for its slots to be kept",
            received=received,
            where=where,
            remedy="The rows are kept; the slots start anew.",
        ),
        stacklevel=2,
    )
