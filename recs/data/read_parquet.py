"""Interactions from Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

from recs.data import assemble
from recs.data.arrow import read_table
from recs.data.ids import IdType
from recs.data.interactions import Interactions
from recs.data.items import Items


def read_parquet(
    path: str | PathLike[str],
    *,
    user: str,
    item: str,
    rating: str | None = None,
    timestamp: str | None = None,
    items: Items | None = None,
    columns: Sequence[str] | None = None,
    id_type: IdType = "string",
    nulls: Any = "error",
    duplicates: str = "keep",
) -> Interactions:
    """Returns the interactions in a Parquet file, or in a folder of them.

    Lists, such as tags, become a `RaggedColumn`; dates and times become seconds since 1970 in
    UTC. Messages count rows from 0.

    Args:
        path: the file or folder.
        user: the column of user ids, strings or integers.
        item: the column of item ids, strings or integers.
        rating: the column of ratings. Defaults to `None`: none, every row just happened.
        timestamp: the column of times: dates and times, ISO 8601 texts, or whole numbers in any
            unit. Without a zone they are UTC. Defaults to `None`: none, and the splits by time are
            not to be had.
        items: the catalogue, from `read_items`. Its ids are brought to `id_type`. Defaults to
            `None`.
        columns: further columns to keep. Defaults to `None`: all. Nulls in them become NaN or "".
        id_type: `"string"` makes ids text, `"int64"` numbers. Defaults to `"string"`.
        nulls: what becomes of rows without an id, a rating or a time: `"error"`, `"drop"`, or a
            value that takes their place, or a dict from columns to values, which may be further
            columns. Defaults to `"error"`.
        duplicates: what becomes of rows whose user, item and time, if they have one, occurred
            before: `"keep"`, `"drop"`, or `"error"`. Defaults to `"keep"`.

    Shapes: ids `(rows,)` object array of `str` or int64; rating `(rows,)` float32; timestamp
        `(rows,)` int64.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when a column is missing, an id is null, a rating or time is not a number, or
            the file is not Parquet; the message names the rows, or the columns that exist.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> from recs.data import read_parquet
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.parquet"
    >>> pq.write_table(pa.table({"who": [1, 2], "what": ["a", "b"], "tags": [["x"], []]}), path)
    >>> log = read_parquet(path, user="who", item="what")
    >>> log.user.tolist(), log["tags"].to_list()
    (['1', '2'], [['x'], []])

    ```
    """
    where = fspath(path)
    given = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    roles = assemble.named(given, where)
    table = read_table(path, "parquet")
    return assemble.interactions(
        table,
        roles,
        items=items,
        columns=columns,
        id_type=id_type,
        nulls=nulls,
        duplicates=duplicates,
        where=where,
    )
