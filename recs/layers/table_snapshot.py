"""In-memory snapshot of a layer's tables: ids and rows."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf
from numpy.lib.mixins import NDArrayOperatorsMixin

from recs.errors import explain
from recs.ops.library import ops
from recs.ops.row_initializer import RowInitializer
from recs.ops.table_resource import TableResource

LARGE_SNAPSHOT_BYTES = 2**30  # of which `get_weights` warns


@dataclasses.dataclass(frozen=True, eq=False)
class _TableContents:
    """Ids and rows of one table, and what another table must be like to take them.

    Attributes:
        name: The table's name.
        kind: The class of the table, `"Table"` or `"RecordTable"`.
        key_dtype: `"int64"` or `"string"`.
        dim: Length of a row.
        rows: Number of ids.
        initializer: Where the rows of new ids come from.
        blocks: Byte strings, as the compiled op writes them.
    """

    name: str
    kind: str
    key_dtype: str
    dim: int
    rows: int
    initializer: RowInitializer
    blocks: tf.Tensor

    @classmethod
    def of(cls, table: TableResource) -> _TableContents:
        """Returns the contents of a table as they are now."""
        return cls(
            table.name,
            type(table).__name__,
            table.key_dtype.name,
            table.dim,
            table.size(),
            table.initializer,
            table.contents(),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the blocks."""
        return int(tf.reduce_sum(tf.strings.length(tf.cast(self.blocks, tf.string))))

    def export(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids `(n,)` and rows `(n, dim)`, sorted by id."""
        table = TableResource(self.dim, self.key_dtype, self.initializer, seed=0)
        table.assign(self.blocks)
        keys, rows = ops().recs_table_export(table.handle, K=table.key_dtype)
        order = np.argsort(keys.numpy(), kind="stable")
        return keys.numpy()[order], rows.numpy()[order]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "blocks": self.blocks.numpy().tolist()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "blocks": tf.constant(state["blocks"], tf.string)})


class TableSnapshot(NDArrayOperatorsMixin):
    """Ids and rows of a layer's tables at one moment: its entry in the list of `get_weights`.

    `set_weights` of that layer, of a clone, or of another layer with tables of the same kind takes
    it: the tables then hold exactly these ids and rows. Slots of ids that a table has already stay,
    as those of a Keras optimizer do; rows of other ids begin with initial slots.

    A snapshot is not an array of numbers: two of them may have different ids. Arithmetic and
    conversion to an array therefore raise an error. It is compared by `==` and `np.array_equal`,
    copied, and pickled as a whole. Optimizer slots are not in it; files have them.

    Attributes:
        shape: `()`, as Keras compares it with the shape of the layer's weight.
        nbytes: Bytes in memory.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(2)
    >>> layer.table.upsert([7], [[1.0, 2.0]])
    >>> weights = layer.get_weights()
    >>> layer.table.upsert([7, 8], [[3.0, 4.0], [5.0, 6.0]])
    >>> layer.set_weights(weights)
    >>> layer.table.export()[1].tolist()
    [[1.0, 2.0]]
    >>> keys, rows = weights[0].export()
    >>> keys.tolist(), rows.tolist()
    ([7], [[1.0, 2.0]])

    ```
    """

    shape = ()
    ndim = 0
    size = 1
    dtype = np.dtype(object)

    def __init__(self, tables: Sequence[TableResource], where: str) -> None:
        if not tf.executing_eagerly():
            raise self._refusal("be taken outside a `tf.function`", "a call while one is traced")
        self._where = where
        self._contents = [_TableContents.of(table) for table in tables]
        self.nbytes = sum(contents.nbytes for contents in self._contents)
        if self.nbytes > LARGE_SNAPSHOT_BYTES:
            warnings.warn(
                explain(
                    "The weights of tables in memory",
                    rule=f"should take at most {LARGE_SNAPSHOT_BYTES:,} bytes",
                    received=f"{self.nbytes:,} bytes for each copy",
                    where=where,
                    remedy="Keep large models in files, with `keras.callbacks.ModelCheckpoint("
                    "save_best_only=True)` or `recs.callbacks.BackgroundCheckpoint`.",
                ),
                stacklevel=3,
            )

    def restore(self, tables: Sequence[TableResource], where: str) -> None:
        """Gives tables these ids and rows, and no others.

        Raises:
            ValueError: they are not as many, or of another kind. None was changed then.
        """
        own = [(type(t).__name__, t.key_dtype.name, t.dim) for t in tables]
        saved = [(c.kind, c.key_dtype, c.dim) for c in self._contents]
        if own != saved:
            raise ValueError(
                explain(
                    "The weights of tables",
                    rule="must be of tables with the same ids and length of rows: "
                    f"{', '.join(map(_described, own))}",
                    received=", ".join(map(_described, saved)),
                    where=where,
                )
            )
        for table, contents in zip(tables, self._contents, strict=True):
            table.assign(contents.blocks)
            if (size := table.size()) < contents.rows:
                warnings.warn(
                    explain(
                        "The weights of a table",
                        rule="must be within the bounds of the table that takes them",
                        received=f"{contents.rows:,} ids, of which {size:,} are left",
                        where=f"table '{table.name}' of {where}",
                        remedy="Give its layer an `eviction` with a larger bound.",
                    ),
                    stacklevel=3,
                )

    def export(self, table: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids `(n,)` and rows `(n, dim)` of a table, sorted by id.

        Args:
            table: The number of the table in the layer. Defaults to `0`.
        """
        return self._contents[table].export()

    def copy(self) -> TableSnapshot:
        """Returns the snapshot itself: nothing can change it."""
        return self

    def __copy__(self) -> TableSnapshot:
        return self

    def __deepcopy__(self, memo: Any) -> TableSnapshot:
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TableSnapshot):
            return NotImplemented
        if len(self._contents) != len(other._contents):
            return False
        return all(
            np.array_equal(a, b)
            for mine, theirs in zip(self._contents, other._contents, strict=True)
            for a, b in zip(mine.export(), theirs.export(), strict=True)
        )

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        tables = ", ".join(contents.name for contents in self._contents)
        return f"<TableSnapshot of {tables}, {self.nbytes:,} bytes>"

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._refusal("stay whole", "a conversion to an array")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        raise self._refusal("stay whole", f"numpy.{ufunc.__name__}")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.array_equal and len(args) >= 2:
            return bool(args[0] == args[1])
        raise self._refusal("stay whole", f"numpy.{func.__name__}")

    def _refusal(self, rule: str, received: str) -> TypeError:
        return TypeError(
            explain(
                "The weights of tables in memory",
                rule=f"must {rule}",
                received=received,
                where=getattr(self, "_where", "get_weights"),
                remedy="`snapshot.export()` gives ids and rows as arrays, and "
                "`layer.table.upsert(ids, rows)` sets them; save with `model.save_weights`.",
            )
        )


def _described(kind: tuple[str, str, int]) -> str:
    name, key_dtype, dim = kind
    return f"{name} of {key_dtype} ids and {dim} values"
