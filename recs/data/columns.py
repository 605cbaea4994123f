"""Checks and converts the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recs.as_array import as_array
from recs.data import times
from recs.data.ids import some_rows
from recs.data.ragged_column import RaggedColumn
from recs.data.window_column import WindowColumn
from recs.errors import explain

Lists = RaggedColumn | WindowColumn
Column = np.ndarray | Lists


def as_column(name: str, value: Any, where: str) -> Column:
    """Returns `value` as a read-only column: numbers, booleans, an object array of `str`, ragged.

    Dates and times become seconds since 1970 in UTC.

    Raises:
        ValueError: when it has not one dimension, or holds something else.
    """
    if isinstance(value, Lists):
        return value
    if not isinstance(value, np.ndarray):
        value = as_array(list(value))
    if value.ndim != 1:
        raise ValueError(
            explain(
                f"Column {name!r}",
                rule="must have one dimension; lists of different lengths go in a RaggedColumn",
                received=f"shape {value.shape}",
                where=where,
            )
        )
    if value.dtype.kind == "U":
        value = value.astype(object)
    if value.dtype.kind == "M":
        value = times.of_datetime64(name, value, where)
    elif value.dtype == object and times.are_times(value):
        value = times.of_objects(name, value, where)
    if value.dtype == object:
        _check_strings(name, value, where)
    elif value.dtype.kind not in "biuf":
        raise ValueError(
            explain(
                f"Column {name!r}",
                rule="must hold numbers, booleans or strings",
                received=f"dtype {value.dtype}",
                where=where,
            )
        )
    column = value.view()
    column.flags.writeable = False
    return column


def _check_strings(name: str, value: np.ndarray, where: str) -> None:
    # One pass over the types is cheap; the positions are looked for only when one is wrong.
    wrong = set(map(type, value.tolist())) - {str}
    if not wrong:
        return
    rows = np.flatnonzero([not isinstance(entry, str) for entry in value.tolist()])
    kinds = ", ".join(sorted(kind.__name__ for kind in wrong))
    raise ValueError(
        explain(
            f"Column {name!r}",
            rule="must hold a string in every row, since its dtype is object",
            received=f"{kinds} in {some_rows(rows)}",
            where=where,
            remedy="Drop these rows, or give them a value of their own.",
        )
    )


def check_ids(name: str, column: Column, where: str) -> Column:
    """Returns a column of ids: int64, or an object array of `str`.

    Raises:
        ValueError: when it holds anything else, such as floats.
    """
    if isinstance(column, np.ndarray):
        if column.dtype == object or column.dtype == np.int64:
            return column
        small = column.dtype.kind in "iu" and (len(column) == 0 or column.max() < 2**63)
        if small:
            return as_column(name, column.astype(np.int64), where)
    raise ValueError(
        explain(
            f"Column {name!r}",
            rule="must hold ids: strings, or integers that fit int64",
            received=_kind(column),
            where=where,
        )
    )


def check_numbers(name: str, column: Column, dtype: Any, where: str) -> Column:
    """Returns a column of finite numbers in `dtype`; integers must be whole already.

    Raises:
        ValueError: when it holds strings, lists, NaN or infinity, or would lose a fraction.
    """
    whole = np.dtype(dtype).kind == "i"
    rule = "must hold whole numbers that fit int64" if whole else "must hold finite numbers"
    if not isinstance(column, np.ndarray) or column.dtype.kind not in "biuf":
        raise ValueError(
            explain(f"Column {name!r}", rule=rule, received=_kind(column), where=where)
        )
    if column.dtype == dtype and whole:
        return column
    bad = ~np.isfinite(column)
    if whole:
        # 2**63 itself is the smallest float that no longer fits.
        bad |= (column != np.floor(column)) | (column >= 2.0**63) | (column < -(2.0**63))
    if bad.any():
        rows = np.flatnonzero(bad)
        remedy = "Any unit will do: milliseconds keep the fraction of a second." if whole else ""
        raise ValueError(
            explain(
                f"Column {name!r}",
                rule=rule,
                received=f"{column[rows[0]].item()!r} in {some_rows(rows)}",
                where=where,
                remedy=remedy,
            )
        )
    return as_column(name, column.astype(dtype), where)


def check_weights(name: str, column: Column, where: str) -> Column:
    """Returns a column of weights, float32; none of them is negative.

    Raises:
        ValueError: when one is, or the column holds anything but finite numbers.
    """
    found = check_numbers(name, column, np.float32, where)
    negative = np.flatnonzero(np.asarray(found) < 0)
    if len(negative):
        raise ValueError(
            explain(
                f"Column {name!r}",
                rule="must hold weights, which are not negative",
                received=f"{found[negative[0]]} in {some_rows(negative)}",
                where=where,
            )
        )
    return found


def check_lengths(columns: Mapping[str, Column], where: str) -> None:
    """Raises a ValueError unless all columns have the same number of rows."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            explain(
                "All columns",
                rule="must have the same number of rows",
                received=f"{lengths}",
                where=where,
            )
        )


def take_rows(column: Column, rows: np.ndarray) -> Column:
    """Returns the rows of a column, whichever kind it is."""
    return column.take(rows) if isinstance(column, Lists) else column[rows]


def _kind(column: Column) -> str:
    if isinstance(column, Lists):
        return "lists"
    return "strings" if column.dtype == object else f"dtype {column.dtype}"
