"""Takes sample weights from a batch and checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from recs.errors import explain

# The column of a batch that holds the weights of its rows.
SAMPLE_WEIGHT = "sample_weight"


def checked_weights(weights: Any, where: str) -> Any:
    """Returns weights of examples, which must be finite and not negative.

    Args:
        weights: Numbers, dense or ragged, a dict of these, or None.
        where: The task.

    Raises:
        tf.errors.InvalidArgumentError: a weight is NaN, infinite or negative, when it is computed.
        ValueError: weights are no numbers.
    """
    if weights is None or isinstance(weights, int | float | Mapping):
        if isinstance(weights, Mapping):
            return {name: checked_weights(value, where) for name, value in weights.items()}
        weights = weights if weights is None else float(weights)
        if weights is None:
            return None
    ragged = isinstance(weights, tf.RaggedTensor)
    values = tf.convert_to_tensor(weights.flat_values if ragged else weights)
    if not (values.dtype.is_floating or values.dtype.is_integer or values.dtype.is_bool):
        raise ValueError(_message(f"dtype {values.dtype.name}", where))
    values = values if values.dtype.is_floating else tf.cast(values, tf.float32)
    fine = tf.reduce_all(tf.logical_and(tf.math.is_finite(values), values >= 0))
    with tf.control_dependencies(
        [tf.debugging.Assert(fine, [_message("another, among", where), values], summarize=5)]
    ):
        values = tf.identity(values)
    return weights.with_flat_values(values) if ragged else values


def as_columns(batch: Any, where: str, label: str | None = None) -> dict[str, Any]:
    """Returns a batch of `fit` as one dict of columns, weights under `"sample_weight"`.

    Args:
        batch: A dict, or `(columns, labels)` or `(columns, labels, weights)` as Keras has them.
        where: The model.
        label: The column of labels that are not a dict. Defaults to `None`: the model has none,
            every row is a positive, and labels must be 1.

    Raises:
        ValueError: the batch is neither, or a column comes twice.
        tf.errors.InvalidArgumentError: a label is another than 1 where the model has none.
    """
    if isinstance(batch, Mapping):
        return dict(batch)
    if not (isinstance(batch, tuple | list) and 1 <= len(batch) <= 3
            and isinstance(batch[0], Mapping)):  # fmt: skip
        raise ValueError(
            explain(
                "A batch",
                rule="must be a dict of columns, (columns, labels) or (columns, labels, weights)",
                received=f"a {type(batch).__name__}",
                where=where,
            )
        )
    columns, labels, weights = (*batch, None, None)[:3]
    added: dict[str, Any] = {} if weights is None else {SAMPLE_WEIGHT: weights}
    columns = dict(columns)
    if isinstance(labels, Mapping):
        added.update(labels)
    elif labels is not None and label is not None:
        added[label] = labels
    elif labels is not None:
        _check_positive(labels, where)
        first = next(iter(columns))
        with tf.control_dependencies([_all_ones(labels, where)]):
            columns[first] = keras.tree.map_structure(tf.identity, columns[first])
    if twice := sorted(set(columns) & set(added)):
        raise ValueError(
            explain(
                "A batch",
                rule="must have each column once",
                received=f"{', '.join(twice)} among columns and again beside them",
                where=where,
            )
        )
    return {**columns, **added}


def lone(labels: Sequence[str]) -> str | None:
    """Returns the column of labels where there is one alone."""
    return labels[0] if len(labels) == 1 else None


def flat_weights(batch: Mapping[str, Any]) -> Any:
    """Returns the weights of a batch's rows, `(batch,)`, or None where it has none."""
    weights = batch.get(SAMPLE_WEIGHT)
    return None if weights is None else ops.reshape(weights, (-1,))


def _check_positive(labels: Any, where: str) -> None:
    dtype = tf.convert_to_tensor(labels).dtype
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise ValueError(
            explain(
                "Labels",
                rule="must be 1: every row is a positive",
                received=f"dtype {dtype.name}",
                where=where,
                remedy="Put the columns of users and items into the dict.",
            )
        )


def _all_ones(labels: Any, where: str) -> tf.Operation:
    labels = tf.cast(tf.convert_to_tensor(labels), tf.float32)
    message = explain(
        "Labels",
        rule="must be 1: every row is a positive",
        received="another, among",
        where=where,
        remedy="Leave out negatives, or give them the weight 0.",
    )
    return tf.debugging.Assert(tf.reduce_all(labels == 1.0), [message, labels], summarize=5)


def _message(received: str, where: str) -> str:
    return explain(
        "`sample_weight`",
        rule="must hold finite numbers that are not negative",
        received=received,
        where=where,
    )
