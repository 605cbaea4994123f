"""From a Keras optimizer to the update of a table's rows."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.ops.library import ops
from recs.ops.table import Table


@dataclasses.dataclass(frozen=True)
class RowUpdate:
    """The fixed part of an optimizer, as the op takes it.

    Attributes:
        name: The engine's name of the rule.
        parameters: Its constants, in the order of the engine's header.
        clipnorm: Limit of the norm of a step's whole gradient of the table, or zero.
        clipvalue: Limit of each element of the summed gradient, or zero.
    """

    name: str
    parameters: tuple[float, ...]
    clipnorm: float
    clipvalue: float


def row_update(optimizer: keras.optimizers.Optimizer, *, where: str) -> RowUpdate:
    """Returns the row update that equals a Keras optimizer given the dense gradient.

    Args:
        optimizer: A `keras.optimizers.SGD`, `Adagrad` or `Adam`.
        where: The layer, for the message.

    Raises:
        ValueError: the class has no row update, or an option of it cannot be followed.
    """
    config = _config(optimizer)
    kinds = keras.optimizers
    # A subclass may change the rule, so only the classes themselves are taken.
    if type(optimizer) is kinds.SGD:
        name = "sgd"
        parameters: tuple[float, ...] = (float(config["momentum"]), float(config["nesterov"]))
    elif type(optimizer) is kinds.Adagrad:
        name = "adagrad"
        parameters = (float(config["initial_accumulator_value"]), float(config["epsilon"]))
    elif type(optimizer) is kinds.Adam:
        name = "adam"
        beta_1, beta_2 = float(config["beta_1"]), float(config["beta_2"])
        parameters = (beta_1, beta_2, 1.0 - beta_1, 1.0 - beta_2, float(config["epsilon"]))
    else:
        raise ValueError(
            explain(
                "`optimizer`",
                rule="must be one with a row update: SGD, Adagrad or Adam",
                received=f"optimizer={type(optimizer).__name__}",
                where=where,
                remedy="Give the layer one of these as `optimizer=...`; the rest of the model "
                "keeps its own.",
            )
        )
    _refuse_what_cannot_be_followed(optimizer, config, where)
    clipnorm = float(optimizer.clipnorm or 0.0)
    return RowUpdate(name, parameters, clipnorm, float(optimizer.clipvalue or 0.0))


def _config(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    # The learning rate in it is read from a variable, which a traced function cannot do.
    with tf.init_scope():
        return dict(optimizer.get_config())


def _refuse_what_cannot_be_followed(
    optimizer: keras.optimizers.Optimizer, config: dict[str, Any], where: str
) -> None:
    reasons = {
        "weight_decay": "it changes every row each step, a table only those of the batch; use "
        "`embeddings_regularizer`",
        "global_clipnorm": "the norm spans all weights, and a table's rows are not among the "
        "weights; use `clipnorm`, which a table follows with a norm of its own",
        "use_ema": "it averages every row each step, a table touches only those of the batch",
        "amsgrad": "it has no row update yet",
    }
    for option, reason in reasons.items():
        value = config.get(option)
        if value:
            raise ValueError(
                explain(
                    f"`{option}`",
                    rule="must not be set in an optimizer of a DynamicEmbedding",
                    received=f"{type(optimizer).__name__}({option}={value!r})",
                    where=where,
                    remedy=f"Why: {reason}. Or give the layer an `optimizer=` without it.",
                )
            )


def commit(
    table: Table,
    optimizer: keras.optimizers.Optimizer,
    *,
    loss_scale: tf.Tensor | float | None,
    where: str,
) -> None:
    """Updates the table's rows from the pending gradients; runs once an `optimizer.apply`.

    Learning rate, step and gradient accumulation are the optimizer's when Keras applies it too;
    an optimizer that only the layer has is followed at the table's own step.

    Args:
        table: The table.
        optimizer: The optimizer to follow.
        loss_scale: What the loss was multiplied by, divided out here. None for nothing.
        where: The layer, for messages.
    """
    update = row_update(optimizer, where=where)
    _warn_if_slots_will_be_reset(table, update, where)
    # Keras builds an optimizer on the weights it applies it to, and nobody builds the others.
    applied_by_keras = optimizer.built
    if applied_by_keras:
        step = tf.cast(optimizer.iterations, tf.int64)
        learning_rate = tf.cast(optimizer.learning_rate, tf.float32)
    else:
        step = ops().recs_table_step(table.handle)
        learning_rate = _learning_rate_at(optimizer, step)
    scale = tf.constant(1.0) if loss_scale is None else 1.0 / tf.cast(loss_scale, tf.float32)

    def apply(scale: tf.Tensor) -> tf.Tensor:
        return ops().recs_table_commit(
            table.handle, learning_rate, step, scale, optimizer=update.name,
            parameters=update.parameters, clipnorm=update.clipnorm, clipvalue=update.clipvalue,
        )  # fmt: skip

    micro_steps = optimizer.gradient_accumulation_steps
    if not micro_steps:
        apply(scale)
        return
    done = _applies(optimizer) if applied_by_keras else ops().recs_table_held_applies(table.handle)
    tf.cond(
        (tf.cast(done, tf.int64) + 1) % micro_steps == 0,
        lambda: apply(scale / micro_steps),
        lambda: ops().recs_table_hold(table.handle, scale / micro_steps),
    )


def _applies(optimizer: keras.optimizers.Optimizer) -> Any:
    # `optimizer.iterations` counts updates; the variable behind it counts applies.
    return next(v for v in optimizer.variables if v.name == "iteration")


def _learning_rate_at(optimizer: keras.optimizers.Optimizer, step: tf.Tensor) -> tf.Tensor:
    learning_rate = _config(optimizer)["learning_rate"]
    if isinstance(learning_rate, dict):
        schedule = keras.saving.deserialize_keras_object(learning_rate)
        return tf.cast(schedule(step), tf.float32)
    return tf.cast(optimizer.learning_rate, tf.float32)


def _warn_if_slots_will_be_reset(table: Table, update: RowUpdate, where: str) -> None:
    with tf.init_scope():
        before = table.stats()["optimizer"]
    if before and before != update.name:
        warnings.warn(
            explain(
                "The optimizer of a trained table",
                rule="must stay the same for its slots to be kept",
                received=f"{update.name!r} after {before!r}",
                where=where,
                remedy="The rows are kept; the slots start anew.",
            ),
            stacklevel=2,
        )
