"""From an Arrow table, as CSV and Parquet files give, to columns; every doubt is an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from recs.data import times
from recs.data.columns import Column
from recs.data.ids import IdType, as_id_type, check_id_type, some_rows
from recs.data.ragged_column import RaggedColumn
from recs.errors import explain


def read_table(
    path: str | PathLike[str], format: str, *, text: Sequence[str] = (), **csv: Any
) -> Any:
    """Returns the `pyarrow.Table` in a CSV or Parquet file.

    Args:
        path: the file; for Parquet also a folder of files.
        format: `"csv"` or `"parquet"`.
        text: columns of a CSV file to read as strings, whatever they look like: the id "007" is
            not the number 7.
        **csv: `delimiter`, for CSV.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it cannot be parsed, or a name occurs twice in its header.
    """
    import pyarrow as pa

    path = fspath(path)
    if not Path(path).exists():
        raise FileNotFoundError(
            explain(
                "`path`",
                rule="must be a file that exists",
                received=path,
                where=f"read_{format}",
                remedy=f"The working directory is {Path.cwd()}.",
            )
        )
    try:
        table = _parse_csv(path, text, **csv) if format == "csv" else _parse_parquet(path)
    except pa.ArrowInvalid as error:
        raise ValueError(
            explain(
                "The file",
                rule=f"must be well-formed {format.upper() if format == 'csv' else 'Parquet'}",
                received=str(error).rstrip("."),
                where=path,
            )
        ) from error
    twice = {name for name in table.column_names if table.column_names.count(name) > 1}
    if twice:
        raise ValueError(
            explain(
                "The names of the columns",
                rule="must differ",
                received=", ".join(table.column_names),
                where=path,
            )
        )
    return table


def _parse_csv(path: str, text: Sequence[str], delimiter: str = ",") -> Any:
    import pyarrow as pa
    from pyarrow import csv

    convert = csv.ConvertOptions(
        column_types={name: pa.string() for name in text},
        # Only an empty field is null: "NA" and "null" are names like any other.
        null_values=[""],
        strings_can_be_null=True,
    )
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    return csv.read_csv(path, parse_options=parse, convert_options=convert)


def _parse_parquet(path: str) -> Any:
    from pyarrow import parquet

    return parquet.read_table(path)


def pick(table: Any, needed: Mapping[str, str], extra: Sequence[str] | None, where: str) -> Any:
    """Returns the table of the columns wanted: those needed, and `extra` or (None) all others.

    Args:
        table: a `pyarrow.Table`.
        needed: argument name to column name, for the message.
        extra: further columns, or None for all.
        where: the file.

    Raises:
        ValueError: when a column is missing; the message names those that exist.
    """
    wanted = {**needed, **{f"columns[{i}]": name for i, name in enumerate(extra or ())}}
    missing = {arg: name for arg, name in wanted.items() if name not in table.column_names}
    if missing:
        raise ValueError(
            explain(
                " and ".join(f"`{arg}`" for arg in missing),
                rule=f"must name a column of the file: {', '.join(table.column_names)}",
                received=", ".join(f"{arg}={name!r}" for arg, name in missing.items()),
                where=where,
            )
        )
    return table if extra is None else table.select(list(dict.fromkeys(wanted.values())))


def id_column(table: Any, name: str, id_type: IdType, where: str) -> np.ndarray:
    """Returns a column of ids, none of them null.

    Raises:
        ValueError: when an id is null, or the column holds neither strings nor integers.
    """
    import pyarrow as pa

    check_id_type(id_type, where)
    column = _no_nulls(table, name, "must hold an id in every row", where)
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    if not (
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    ):
        raise ValueError(
            explain(
                f"Column {name!r}",
                rule="must hold ids: strings or integers",
                received=f"type {kind}",
                where=where,
            )
        )
    if pa.types.is_integer(kind) and id_type == "int64":
        return _cast(column, name, pa.int64(), "must hold ids that fit int64", where)
    return as_id_type(column.to_numpy(), id_type, name=name, where=where)


def number_column(table: Any, name: str, where: str) -> np.ndarray:
    """Returns a column of numbers, none of them null; times become seconds since 1970 in UTC.

    Raises:
        ValueError: when a row is null or is not a number; the message says which.
    """
    import pyarrow as pa

    column = _no_nulls(table, name, "must hold a number in every row", where)
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        # Like Unix time: whole seconds, the fraction dropped.
        column = column.cast(pa.timestamp("s", getattr(kind, "tz", None)), safe=False)
        return column.cast(pa.int64()).to_numpy()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.to_numpy()
    if not pa.types.is_string(kind):
        raise ValueError(
            explain(
                f"Column {name!r}", rule="must hold numbers", received=f"type {kind}", where=where
            )
        )
    whole = _try_cast(column, pa.int64())  # First, since a float64 would round large integers.
    if whole is not None:
        return whole
    return _cast(column, name, pa.float64(), "must hold numbers", where)


def time_column(table: Any, name: str, where: str) -> np.ndarray:
    """Returns a column of times: as `number_column` does, or of ISO 8601 texts.

    Raises:
        ValueError: when a row is null, or neither a number nor a time.
    """
    import pyarrow as pa

    column = table.column(name)
    kind = column.type
    if (pa.types.is_string(kind) or pa.types.is_large_string(kind)) and not column.null_count:
        if not len(column) or _try_cast(column[:1], pa.float64()) is not None:
            return number_column(table, name, where)
        at = f"{where}, rows counted from 0 without the header"
        return times.of_objects(name, column.to_numpy(), at)
    return number_column(table, name, where)


def other_column(table: Any, name: str, where: str) -> Column:
    """Returns a further column: numbers (null is NaN), strings (null is ""), or lists.

    Raises:
        ValueError: when it holds anything else.
    """
    import pyarrow as pa

    column = table.column(name)
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return RaggedColumn.from_lists([row or [] for row in column.to_pylist()])
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return number_column(table, name, where)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.fill_null("").to_numpy()
    if pa.types.is_null(kind):
        return np.full(len(column), "", dtype=object)
    if pa.types.is_boolean(kind) and not column.null_count:
        return column.to_numpy()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.to_numpy()
    raise ValueError(
        explain(
            f"Column {name!r}",
            rule="must hold numbers, booleans without nulls, strings or lists of them",
            received=f"type {kind}",
            where=where,
            remedy="Leave it out: name the further columns to keep in `columns`.",
        )
    )


def _no_nulls(table: Any, name: str, rule: str, where: str) -> Any:
    column = table.column(name)
    if column.null_count:
        rows = np.flatnonzero(column.is_null().to_numpy())
        raise ValueError(
            explain(
                f"Column {name!r}",
                rule=rule,
                received=f"null in {some_rows(rows)}",
                where=f"{where}, rows counted from 0 without the header",
                remedy='`nulls="drop"` leaves such rows out; `nulls=value` fills them.',
            )
        )
    return column


def _try_cast(column: Any, kind: Any) -> np.ndarray | None:
    import pyarrow as pa

    try:
        return column.cast(kind).to_numpy()
    except pa.ArrowInvalid:
        return None


def _cast(column: Any, name: str, kind: Any, rule: str, where: str) -> np.ndarray:
    values = _try_cast(column, kind)
    if values is not None:
        return values
    # Row by row only now, to say where: files are large and mostly right.
    rows = [row for row in range(len(column)) if _try_cast(column.slice(row, 1), kind) is None]
    raise ValueError(
        explain(
            f"Column {name!r}",
            rule=rule,
            received=f"{column[rows[0]].as_py()!r} in {some_rows(rows)}",
            where=f"{where}, rows counted from 0 without the header",
        )
    )
