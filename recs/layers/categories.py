"""Columns of categories: text or integers, a value or a list of values per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from recs.as_array import as_array, is_text
from recs.errors import explain
from recs.layers.row_shapes import check_same_rows, list_per_row, value_per_row

_SCALAR, _LIST = 1, 2
_STRING, _INTEGER = 1, 2


def as_text(values: Any, name: str, where: str) -> tf.Tensor | tf.RaggedTensor:
    """Returns categories as text: strings byte for byte, integers in decimal digits.

    Args:
        values: Strings or integers of any shape, dense or ragged.
        name: The column, for the message.
        where: The layer, for the message.

    Raises:
        ValueError: the values are floats, datetimes, bools or anything else.
    """
    if isinstance(values, tf.RaggedTensor):
        return values.with_flat_values(as_text(values.flat_values, name, where))
    if not tf.is_tensor(values):
        values = as_array(values)
        if values.dtype.kind in "mM":
            raise _no_category(name, values.dtype, where)
        if values.dtype == object and not is_text(values):
            kinds = sorted({type(one).__name__ for one in values.ravel().tolist()})
            raise _no_category(name, " and ".join(kinds), where)
        values = tf.convert_to_tensor(values.astype(object) if values.dtype.kind == "U" else values)
    if values.dtype == tf.string:
        return values
    if not values.dtype.is_integer:
        raise _no_category(name, values.dtype.name, where)
    return tf.strings.as_string(values)


def _no_category(name: str, dtype: Any, where: str) -> ValueError:
    return ValueError(
        explain(
            f"Column '{name}'",
            rule="must hold categories, strings or integers",
            received=f"dtype {dtype}",
            where=where,
            remedy="Sort numbers and times into ranges first (`numpy.digitize(values, edges)`), "
            "or write ids as strings or integers (`values.astype('int64')`).",
        )
    )


class TrainedColumns:
    """Remembers which categorical columns had lists in training, and which had integers.

    It is kept in a variable of the layer, so that it is in every kind of file.

    Args:
        names: The columns.
        kinds: int32 variable `(columns, 2)`, zeros before training.
        where: The layer, for messages.
    """

    def __init__(self, names: Sequence[str], kinds: Any, where: str) -> None:
        self.names = list(names)
        self._kinds = kinds
        self._where = where

    def categories(self, inputs: Mapping[str, Any], training: bool | None) -> dict[str, Any]:
        """Returns the columns as text `(batch, n)` or ragged, in the form that training had.

        Dense integers in lists have as many values per row as `<name>_lengths` says, if it is
        there.

        Args:
            inputs: The batch.
            training: Whether to remember the form of the columns.

        Raises:
            ValueError: a column has another form, or is no category.
        """
        known = self._known()
        found = {}
        for place, name in enumerate(self.names):
            values = inputs[name]
            if not isinstance(values, tf.RaggedTensor | tf.SparseTensor) and not tf.is_tensor(
                values
            ):
                values = as_array(values)
            text = values
            if not isinstance(values, tf.SparseTensor):
                text = as_text(values, name, self._where)
            if not known[place][0]:
                form = _SCALAR if _is_scalar(text) else _LIST
                if training:
                    self._remember(place, form, _STRING if _is_text(values) else _INTEGER)
            else:
                form = known[place][0]
            if form == _SCALAR:
                found[name] = tf.expand_dims(value_per_row(text, name, self._where), 1)
                continue
            text = list_per_row(text, name, self._where)
            lengths = inputs.get(f"{name}_lengths")
            if lengths is not None and not isinstance(text, tf.RaggedTensor):
                pair = {name: text, f"{name}_lengths": tf.convert_to_tensor(lengths)}
                text, lengths = check_same_rows(pair, self._where).values()
                text = tf.RaggedTensor.from_tensor(text, lengths=tf.cast(lengths, tf.int64))
            found[name] = text
        return found

    def serving_specs(self, lists: Sequence[str] | None = None) -> dict[str, tf.TensorSpec]:
        """Returns what a server is sent, as training had it.

        Lists of text are `(batch, n)`, filled up with "", which is no value; of integers filled up
        with anything, and `<name>_lengths` says how many count.

        Args:
            lists: The columns that are lists, as far as training has not shown it. Defaults to
                `None`: all, of which `(batch,)` is a list of one.
        """
        specs = {}
        for name, (form, kind) in zip(self.names, self._known(), strict=True):
            is_list = form == _LIST or (not form and (lists is None or name in lists))
            dtype = tf.int64 if kind == _INTEGER else tf.string
            specs[name] = tf.TensorSpec([None, None] if is_list else [None], dtype, name=name)
            if is_list and dtype == tf.int64:
                lengths = f"{name}_lengths"
                specs[lengths] = tf.TensorSpec([None], tf.int64, name=lengths)
        return specs

    def _known(self) -> list[list[int]]:
        with tf.init_scope():
            return np.asarray(self._kinds.numpy()).tolist()

    def _remember(self, place: int, form: int, kind: int) -> None:
        with tf.init_scope():
            kinds = np.array(self._kinds.numpy())
            kinds[place] = form, kind
            self._kinds.assign(kinds)


def _is_text(values: Any) -> bool:
    if isinstance(values, np.ndarray):
        return values.dtype.kind in "OSU"
    return bool(values.dtype == tf.string)


def _is_scalar(values: Any) -> bool:
    if isinstance(values, tf.RaggedTensor | tf.SparseTensor):
        return False
    return values.shape.rank == 1 or (values.shape.rank == 2 and values.shape[1] == 1)
