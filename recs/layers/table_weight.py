"""The weight that stands for a layer's tables in the lists of Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

import keras
import tensorflow as tf

from recs.errors import explain
from recs.layers.table_snapshot import TableSnapshot
from recs.ops.table_resource import TableResource


class TableOwner(Protocol):
    """A layer with tables."""

    name: str

    @property
    def tables(self) -> Sequence[TableResource]:
        """The layer's tables."""


class TableWeight(keras.Variable):
    """A scalar weight whose value, for whoever keeps weights in memory, is ids and rows of tables.

    `layer.get_weights()` asks each weight for `numpy()`, `layer.set_weights(values)` and copies of
    weights by hand call `assign`. Here the first returns a `TableSnapshot` and the second takes
    one, so that everything that goes through them has the rows. As a tensor the weight is a zero,
    which look-ups take part in gradients by; the compiled optimizer may move it without effect.

    Args:
        layer: The owner of the tables.
        name: Name of the weight.
        trainable: Whether optimizers see it.
    """

    def __init__(self, layer: TableOwner, name: str, trainable: bool) -> None:
        with keras.name_scope(layer.name):
            super().__init__(
                "zeros", shape=(), dtype="float32", trainable=trainable, autocast=False, name=name
            )
        self.layer = layer

    def numpy(self) -> Any:
        """Returns ids and rows of the layer's tables."""
        return TableSnapshot(self.layer.tables, self._where)

    def assign(self, value: Any) -> Any:
        """Gives the layer's tables ids and rows, and no others.

        Args:
            value: A `TableSnapshot`, or the weight of another layer whose tables are copied.

        Raises:
            TypeError: it is anything else, or a `tf.function` is traced.
            ValueError: it is of other tables.
        """
        if value is self:  # the weight after its constraint
            return self.value
        if not isinstance(value, TableSnapshot | TableWeight) or not tf.executing_eagerly():
            raise self._refusal(value)
        snapshot = value if isinstance(value, TableSnapshot) else value.numpy()
        snapshot.restore(self.layer.tables, self._where)
        return self.value

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            explain(
                "The weight of a layer with tables",
                rule="must be kept whole, as `get_weights`, `save` to a `.keras` file and "
                "`save_weights` do",
                received="a conversion to an array, as for a `.h5` file of a whole model",
                where=self._where,
                remedy="Save to a `.keras` file, or call `layer.table.export()` for the rows.",
            )
        )

    @property
    def _where(self) -> str:
        return f"{type(self.layer).__name__} '{self.layer.name}'"

    def _refusal(self, value: Any) -> TypeError:
        received = f"{type(value).__name__} of shape {tuple(getattr(value, 'shape', ()))}"
        if not tf.executing_eagerly():
            received += " while a `tf.function` is traced"
        return TypeError(
            explain(
                "The weight of a layer with tables",
                rule="must be set from what `get_weights` returns of such a layer",
                received=received,
                where=self._where,
                remedy="Its rows are no tensor, so they are not averaged or moved by arithmetic; "
                "`layer.table.export()` and `layer.table.upsert(ids, rows)` work with arrays.",
            )
        )
