"""A catalogue of items from a CSV or Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from recs.data import assemble
from recs.data.arrow import id_column, other_column, pick, read_table
from recs.data.columns import Column
from recs.data.ids import IdType
from recs.data.items import Items
from recs.data.ragged_column import RaggedColumn
from recs.errors import explain


def read_items(
    path: str | PathLike[str],
    *,
    item: str,
    title: str | None = None,
    genres: str | None = None,
    genres_delimiter: str = "|",
    columns: Sequence[str] | None = None,
    id_type: IdType = "string",
    delimiter: str = ",",
    nulls: Any = "error",
    duplicates: str = "error",
) -> Items:
    r"""Returns the catalogue in a file: Parquet where it ends in .parquet or .pq, else CSV.

    Args:
        path: the file.
        item: the column of item ids, each in one row.
        title: the column of titles; an empty one is "". Defaults to `None`: none.
        genres: the column of genres: a list in Parquet, or text with `genres_delimiter` between
            the genres. An empty one is the empty list. Defaults to `None`: none.
        genres_delimiter: what stands between genres. Defaults to `"|"`.
        columns: further columns to keep. Defaults to `None`: all.
        id_type: `"string"` makes ids text, `"int64"` numbers. Defaults to `"string"`.
        delimiter: what stands between the fields of a CSV file. Defaults to `","`.
        nulls: as in `read_csv`, of rows without an id. Defaults to `"error"`.
        duplicates: what becomes of rows whose id occurred before: `"error"` or `"drop"`. Defaults
            to `"error"`.

    Shapes: ids `(items,)` object array of `str` or int64; title `(items,)` object array of `str`;
        genres a `RaggedColumn` of `str`.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when a column is missing, an id is null or occurs twice, or the file cannot be
            parsed.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> from recs.data import read_items
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "films.csv"
    >>> _ = path.write_text("id,name,kind\n7,Heat,Crime|Drama\n9,Ran,\n")
    >>> films = read_items(path, item="id", title="name", genres="kind")
    >>> films
    Items(2 rows: id (item), name (title), kind (genres))
    >>> films.genres.to_list()
    [['Crime', 'Drama'], []]

    ```
    """
    where = fspath(path)
    roles = assemble.named({"item": item, "title": title, "genres": genres}, where)
    parquet = Path(where).suffix in (".parquet", ".pq")
    if parquet:
        table = read_table(path, "parquet")
    else:
        table = read_table(path, "csv", text=list(roles.values()), delimiter=delimiter)
    assemble.check_duplicates(duplicates, ("error", "drop"), where)
    table = pick(table, roles, columns, where)
    table = assemble.without_nulls(table, [item], nulls, where)
    if duplicates == "drop":
        table = table.take(assemble.first_rows(id_column(table, item, id_type, where)))
    read: dict[str, Column] = {}
    for name in table.column_names:
        if name == item:
            read[name] = id_column(table, name, id_type, where)
        elif name == genres:
            read[name] = _genres(table, name, genres_delimiter, where)
        else:
            read[name] = other_column(table, name, where)
    return Items(read, roles)


def _genres(table: Any, name: str, delimiter: str, where: str) -> RaggedColumn:
    column = other_column(table, name, where)
    if isinstance(column, np.ndarray) and column.dtype == object:
        if not delimiter:
            raise ValueError(
                explain(
                    "`genres_delimiter`",
                    rule="must be the text between two genres",
                    received="genres_delimiter=''",
                    where=where,
                )
            )
        # "".split gives [""], one genre without a name; an empty field means no genres.
        column = RaggedColumn.from_lists([t.split(delimiter) if t else [] for t in column.tolist()])
    if isinstance(column, RaggedColumn) and column.values.dtype == object:
        return column
    raise ValueError(
        explain(
            f"Column {name!r}",
            rule="must hold lists of strings, or text with a delimiter between the genres",
            received=f"type {table.column(name).type}",
            where=where,
        )
    )
