"""The table behind a layer: from ids to rows, in the compiled op."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from recs.ops import records
from recs.ops.library import ops
from recs.ops.table_resource import TableResource


class Table(TableResource):
    """A map from ids to rows of floats that grows with the ids it is trained on.

    The layer makes it, trains it and saves it; this object is for looking at it and for setting
    rows by hand. All methods are safe while training goes on in another thread.

    Args:
        dim: Length of a row.
        key_dtype: `"int64"` (every value is a legal id) or `"string"` (any bytes, compared
            exactly).
        initializer: Where the rows of new ids come from.
        seed: With the id, it decides the initial row.
        default_value: Every element of the row that an id without one gets: unknown outside
            training, or not admitted in it.
        storage: How rows are stored: `"float32"`, `"bfloat16"` or `"float16"`.
        mean_default: Whether an unknown id gets the mean of all rows instead, once there are any.
        name: For messages. Tables are told apart by identity, never by name.
        admission: Which new ids training gives a row. Defaults to all.
        eviction: Which rows it gives up. Defaults to none.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(2)
    >>> layer.table.upsert([7, -1], [[1.0, 2.0], [3.0, 4.0]])
    >>> layer.table.lookup([-1, 5]).tolist()
    [[3.0, 4.0], [0.0, 0.0]]
    >>> layer.table.size()
    2

    ```
    """

    def lookup(self, keys: Any) -> np.ndarray:
        """Returns the rows of ids, and the default for unknown ones; inserts nothing.

        Args:
            keys: Ids of any shape, integers or strings as `key_dtype` says.

        Returns:
            float32 array of shape `keys.shape + (dim,)`.
        """
        keys = self._keys(keys)
        rows, _ = self.find(tf.reshape(keys, [-1]))
        return np.reshape(rows.numpy(), (*keys.shape, self.dim))

    def default_row(self) -> np.ndarray:
        """Returns the row `(dim,)` that unknown ids get outside training."""
        return ops().recs_table_default_row(self.handle).numpy()

    def contains(self, keys: Any) -> np.ndarray:
        """Returns for each id, as a bool array of the ids' shape, whether it has a row."""
        keys = self._keys(keys)
        _, found = self.find(tf.reshape(keys, [-1]))
        return np.reshape(found.numpy(), keys.shape)

    def upsert(self, keys: Any, rows: Any) -> None:
        """Sets the rows of ids, adding those that are new.

        Of equal ids the last counts. Optimizer slots of a known id stay; a new one gets initial
        slots.

        Args:
            keys: Ids, one axis.
            rows: Finite floats of shape `(len(keys), dim)`.

        Raises:
            tf.errors.InvalidArgumentError: shapes do not fit, or a row is not finite. Nothing was
                changed then.
        """
        rows = tf.convert_to_tensor(rows, tf.float32)
        ops().recs_table_upsert(self.handle, tf.reshape(self._keys(keys), [-1]), rows)

    def export(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns all ids, shape `(size,)`, and their rows, `(size, dim)`, from one moment.

        The order is repeatable and otherwise without meaning. String ids come as `bytes`.
        """
        keys, rows = ops().recs_table_export(self.handle, K=self.key_dtype)
        return keys.numpy(), rows.numpy()

    def records(
        self, rows: bool = True, slots: bool = False, limit: int | None = None
    ) -> records.Records:
        """Returns all ids with what is stored of them, from one moment.

        Training waits meanwhile, look-ups do not. The order is that of `export`.

        Args:
            rows: Whether to return the rows. Defaults to `True`.
            slots: Whether to return the optimizer's slots. Defaults to `False`.
            limit: About how many ids to return at most. Which ones depends on their hash, so they
                stand for all: a sample in bounded time. Defaults to `None`: all.
        """
        return records.of_table(self.handle, self.key_dtype, rows=rows, slots=slots, limit=limit)

    def to_pandas(self, rows: bool = True, slots: bool = False, limit: int | None = None) -> Any:
        """Returns a `pandas.DataFrame` of all ids, from one moment.

        The index holds the ids: int64, or `str` (bytes that are no UTF-8 come as `os.fsdecode`
        gives them). The columns:

        - `count`: how often training has looked the id up;
        - `last_step`: the table's `step` when it did last, -1 if never;
        - `last_time`: the time then (UTC, whole seconds), NaT if never;
        - `row_0` to `row_{dim - 1}`: the row, float32;
        - with `slots`, the same of every slot under its optimizer's name for it, such as
          `accumulator_0`; a slot of one number is one column, such as `accumulator`.

        Args:
            rows: Whether to have the rows. Defaults to `True`.
            slots: Whether to have the optimizer's slots. Defaults to `False`.
            limit: As for `records`. Defaults to `None`: all ids.

        Raises:
            ImportError: pandas is not installed.

        Example:
        ```python
        >>> layer = recs.layers.DynamicEmbedding(2, embeddings_initializer="ones")
        >>> _ = layer(np.array([7, 7, -1]), training=True)
        >>> layer.table.to_pandas().loc[7, ["count", "row_0", "row_1"]].tolist()
        [2.0, 1.0, 1.0]

        ```
        """
        found = self.records(rows=rows, slots=slots, limit=limit)
        return records.to_pandas(found, where=f"table '{self.name}'")

    def find(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns rows `(n, dim)` and whether each id is there `(n,)`, for ids `(n,)`."""
        rows, found = ops().recs_tables_find(
            [self.handle], [keys], [tf.constant([], tf.bool)], [tf.constant([], tf.int64)],
            [tf.constant([], tf.float32)], combiners=["none"], feature_tables=[0], dims=[self.dim],
        )  # fmt: skip
        return rows[0], found[0]


# Of embeddings: from a `lookup.Batch` to rows, and whether each id is known. Of records: as
# `RecordTable.recent`.
StandIn: TypeAlias = Callable[..., Any]

# What looks ids up instead of the compiled op, for the thread that traces an export and no other.
_stand_ins: ContextVar[Mapping[TableResource, StandIn] | None] = ContextVar(
    "stand_ins", default=None
)


def stand_in(table: TableResource) -> StandIn | None:
    """Returns what stands in for look-ups in the table at the moment, as a rule nothing."""
    return (_stand_ins.get() or {}).get(table)


@contextlib.contextmanager
def looking_up_in(stand_ins: Mapping[TableResource, StandIn]) -> Iterator[None]:
    """Temporarily replaces tables by functions, in this thread.

    Args:
        stand_ins: The function of each table. Only look-ups outside training ask for it.
    """
    token = _stand_ins.set(stand_ins)
    try:
        yield
    finally:
        _stand_ins.reset(token)
