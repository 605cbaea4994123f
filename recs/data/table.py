"""Named columns of equal length: what interactions and items have in common."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from recs.data.columns import (
    Column,
    as_column,
    check_ids,
    check_lengths,
    check_weights,
    take_rows,
)
from recs.data.ids import IdType, as_id_type, check_id_type, codes
from recs.errors import explain

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Columns by name, and which of them plays which role.

    The columns keep the names of their source ("user_id", "movie_id"), and the roles say what
    they are, so that `table["movie_id"]` and `table.item` are the same array. Like a dict it has
    `keys()`, `in`, `table[name]` and iterates over names; `len` is the number of rows. Tables do
    not change: arrays are read-only, and each method returns a new table that shares them.

    Args:
        columns: name to values: a NumPy array, a list, a `RaggedColumn` or a `WindowColumn`.
            Strings are kept as object arrays of `str`, which Keras takes.
        roles: role to column name. Defaults to `None`: columns that bear the name of a role
            play it.

    Raises:
        ValueError: when lengths differ, a role that is needed is missing, or a column's kind does
            not fit its role.
    """

    columns: Mapping[str, Column]
    roles: Mapping[str, str] | None = None

    ROLES: ClassVar[tuple[str, ...]] = ()
    NEEDED: ClassVar[tuple[str, ...]] = ()
    IDS: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        where = type(self).__name__
        columns = {name: as_column(name, value, where) for name, value in self.columns.items()}
        check_lengths(columns, where)
        roles = {role: role for role in self.ROLES if role in columns}
        if self.roles is not None:
            roles = {role: name for role, name in self.roles.items() if name is not None}
        self._check_roles(roles, columns)
        for role, name in roles.items():
            columns[name] = self._check_role(role, name, columns[name])
        self._set("columns", MappingProxyType(columns))
        self._set("roles", MappingProxyType(roles))

    def _set(self, field: str, value: Any) -> None:
        object.__setattr__(self, field, value)  # The way a frozen dataclass fills its own fields.

    def _check_roles(self, roles: Mapping[str, str], columns: Mapping[str, Column]) -> None:
        where = type(self).__name__
        missing = [role for role in self.NEEDED if role not in roles]
        unknown = [role for role in roles if role not in self.ROLES]
        absent = [name for name in roles.values() if name not in columns]
        twice = len(set(roles.values())) < len(roles)
        if missing or unknown or absent or twice:
            needed = ", ".join(self.NEEDED)
            raise ValueError(
                explain(
                    "`roles`",
                    rule=f"must give each role ({', '.join(self.ROLES)}; needed: {needed}) a "
                    f"column of its own, one of {', '.join(columns) or 'none'}",
                    received=f"roles={dict(roles)!r}",
                    where=where,
                )
            )

    def _check_role(self, role: str, name: str, column: Column) -> Column:
        """Returns the column in the form its role asks for; subclasses add their roles."""
        return check_ids(name, column, type(self).__name__) if role in self.IDS else column

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            raise KeyError(
                explain(
                    "The column",
                    rule=f"must be one of {', '.join(self.columns)}",
                    received=f"{name!r}",
                    where=type(self).__name__,
                )
            )
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def keys(self) -> list[str]:
        """Returns the names of the columns, so that `dict(table)` works."""
        return list(self.columns)

    def __repr__(self) -> str:
        plays = {name: role for role, name in (self.roles or {}).items()}
        shown = [f"{name} ({plays[name]})" if name in plays else name for name in self.columns]
        return f"{type(self).__name__}({len(self):,} rows: {', '.join(shown)})"

    def _role(self, role: str) -> Any:
        roles = self.roles or {}
        return self.columns[roles[role]] if role in roles else None

    def _with_columns(self, columns: Mapping[str, Column]) -> Self:
        # A copy, not a new construction: rows of a checked table need no second check.
        other = copy.copy(self)
        for column in columns.values():
            if isinstance(column, np.ndarray):
                column.flags.writeable = False
        other._set("columns", MappingProxyType(dict(columns)))
        return other

    def take(self, rows: np.ndarray | Sequence[int] | Sequence[bool] | slice) -> Self:
        """Returns the table of the rows chosen, in the order asked for.

        Args:
            rows: a boolean mask with an entry a row, or row numbers (repeated, negative and
                unordered ones included, as in NumPy), or a slice.

        Raises:
            ValueError: when a mask has another length than the table.
            IndexError: when a row number is outside it.
        """
        index = self._row_numbers(rows)
        return self._with_columns({n: take_rows(c, index) for n, c in self.columns.items()})

    def head(self, rows: int = 5) -> Self:
        """Returns the table of the first rows.

        Args:
            rows: how many; of fewer, all. Defaults to `5`.

        Raises:
            ValueError: when `rows` is negative.
        """
        if rows < 0:
            raise ValueError(
                explain(
                    "`rows`",
                    rule="must not be negative",
                    received=f"rows={rows}",
                    where=f"{type(self).__name__}.head",
                )
            )
        return self.take(slice(0, rows))

    def to_pandas(self) -> Any:
        """Returns the columns as a `pandas.DataFrame`, lists as Python lists.

        Raises:
            ImportError: when pandas is not installed.
        """
        from recs.data.data_frame import data_frame

        return data_frame(self.columns, f"{type(self).__name__}.to_pandas")

    def _row_numbers(self, rows: Any) -> np.ndarray:
        if isinstance(rows, slice):
            return np.arange(len(self))[rows]
        index = np.asarray(rows)
        if index.dtype == bool:
            if index.shape != (len(self),):
                raise ValueError(
                    explain(
                        "The mask",
                        rule=f"must have an entry for each of the {len(self)} rows",
                        received=f"shape {index.shape}",
                        where=f"{type(self).__name__}.take",
                    )
                )
            return np.flatnonzero(index)
        if index.size == 0:
            return np.zeros(0, np.int64)
        if index.ndim != 1 or index.dtype.kind not in "iu":
            raise ValueError(
                explain(
                    "`rows`",
                    rule="must be a slice, a boolean mask or whole row numbers in one dimension",
                    received=f"dtype {index.dtype}, shape {index.shape}",
                    where=f"{type(self).__name__}.take",
                )
            )
        return np.arange(len(self))[index]

    def with_id_type(self, id_type: IdType) -> Self:
        """Returns the same table with its ids as strings or as int64.

        Args:
            id_type: `"string"` gives object arrays of `str`, `"int64"` arrays of int64.

        Raises:
            ValueError: when a string is not a whole number, written as Python writes it.
        """
        where = type(self).__name__
        check_id_type(id_type, where)
        columns = dict(self.columns)
        for role in self.IDS:
            name = (self.roles or {})[role]
            converted = as_id_type(self._role(role), id_type, name=name, where=where)
            columns[name] = as_column(name, converted, where)
        return self._with_columns(columns)

    def to_dataset(
        self,
        columns: Sequence[str] | None = None,
        *,
        batch_size: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        reshuffle_each_iteration: bool = True,
        drop_remainder: bool = False,
        pad: Mapping[str, Any] | None = None,
        group_by: str | None = None,
        group_size: int = 10,
        weights: str | None = None,
    ) -> tf.data.Dataset:
        """Returns a `tf.data.Dataset` of dicts from column name to tensor.

        A batch is gathered from the columns in one step, and shuffled over the whole table
        without a buffer: memory does not grow with the shuffle, and no row is far from random.

        Args:
            columns: the names to include. Defaults to `None`: all.
            batch_size: rows an element. Defaults to `None`: an element is a row, as in
                TensorFlow Datasets. After `.map`, batch rows with lists by `.ragged_batch`.
            shuffle: whether rows come in a random order. Defaults to `False`.
            seed: int: the same seed gives the same order, for the same global seed of
                TensorFlow if one is set. Defaults to `0`.
            reshuffle_each_iteration: whether each epoch has an order of its own, which follows
                from the seed and the number of the epoch: see `recs.callbacks.EpochOrder`. Defaults
                to `True`.
            drop_remainder: whether a last batch of fewer rows is left out, which makes the batch
                size static. Defaults to `False`.
            pad: name of a column of lists to what its rows are filled up with, at the end, so that
                it comes as a tensor as wide as its longest row. Defaults to `None`: lists are
                ragged.
            group_by: a column whose equal values come together, in runs of `group_size` rows drawn
                at random, as `recs.models.MetaLearner` learns from. The runs are in a random order;
                one may be cut by the end of a batch. Needs `shuffle`, and holds the order of all
                rows. Defaults to `None`: rows come one by one.
            group_size: int: how many rows form a run. Defaults to `10`.
            weights: the column that says how much each row counts; it comes as `"sample_weight"`,
                float32, which the models of recs heed in `fit`. Defaults to `None`.

        Shapes: strings `(batch,)` tf.string, numbers `(batch,)` in their dtype, lists
            `tf.RaggedTensor (batch, None)`, or with `pad` `(batch, width)`; without `batch_size`
            the same without `batch`.

        Raises:
            KeyError: when a name is not a column.
            ValueError: when `batch_size` is not positive, `pad` names a column without lists, a
                weight is negative or not finite, or rows are to be grouped in runs of none or
                without `shuffle`.
        """
        from recs.data.to_dataset import to_dataset

        if group_by is not None and (not shuffle or group_size < 1):
            raise ValueError(
                explain(
                    "`group_by`",
                    rule="must come with `shuffle=True` and a positive `group_size`",
                    received=f"group_by={group_by!r}, shuffle={shuffle}, group_size={group_size}",
                    where="to_dataset",
                )
            )

        names = self.keys() if columns is None else list(columns)
        chosen = {name: self[name] for name in names}
        if weights is not None:
            where = f"{type(self).__name__}.to_dataset"
            chosen.pop(weights, None)
            chosen["sample_weight"] = check_weights(weights, self[weights], where)
        return to_dataset(
            chosen,
            rows=len(self),
            batch_size=batch_size,
            shuffle_seed=seed if shuffle else None,
            reshuffle_each_iteration=reshuffle_each_iteration,
            drop_remainder=drop_remainder,
            pad=pad,
            groups=None if group_by is None else codes(np.asarray(self[group_by]))[0],
            group_size=group_size,
        )
