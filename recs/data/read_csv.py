"""Interactions from a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

from recs.data import assemble
from recs.data.arrow import read_table
from recs.data.ids import IdType
from recs.data.interactions import Interactions
from recs.data.items import Items


def read_csv(
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
    delimiter: str = ",",
) -> Interactions:
    r"""Returns the interactions in a CSV file with a header line.

    Ids are read as they are written: "007" and "7" are two users. An empty field is null; "NA"
    and "null" are text. Messages count rows from 0, without the header.

    Args:
        path: the file, also compressed (.gz, .bz2).
        user: the column of user ids.
        item: the column of item ids.
        rating: the column of ratings. Defaults to `None`: none, every row just happened.
        timestamp: the column of times: whole numbers in any unit, or ISO 8601 texts, which become
            seconds since 1970 and are UTC where they have no zone. Defaults to `None`: none, and
            the splits by time are not to be had.
        items: the catalogue, from `read_items`. Its ids are brought to `id_type`. Defaults to
            `None`.
        columns: further columns to keep. Defaults to `None`: all. Nulls in them become NaN or "".
        id_type: `"string"` keeps ids as text, `"int64"` makes them numbers. Defaults to
            `"string"`.
        delimiter: what stands between fields. Defaults to `","`.
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
            the file is not CSV; the message names the rows, or the columns that exist.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> from recs.data import read_csv
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.csv"
    >>> _ = path.write_text("who,what,stars,at\nann,007,4.5,3\nbob,7,2,1\n")
    >>> log = read_csv(path, user="who", item="what", rating="stars", timestamp="at")
    >>> log
    Interactions(2 rows: who (user), what (item), stars (rating), at (timestamp))
    >>> log.item.tolist(), log.rating.tolist()
    (['007', '7'], [4.5, 2.0])

    ```
    """
    where = fspath(path)
    given = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    roles = assemble.named(given, where)
    table = read_table(path, "csv", text=list(roles.values()), delimiter=delimiter)
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
