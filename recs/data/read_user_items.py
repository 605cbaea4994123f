"""Interactions from a file with a line a user."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

import numpy as np

from recs.data.ids import IdType, check_id_type
from recs.data.interactions import Interactions
from recs.errors import explain


def read_user_items(
    path: str | PathLike[str],
    *,
    user: str = "user_id",
    item: str = "item_id",
    id_type: IdType = "int64",
) -> Interactions:
    r"""Returns the interactions in a file of lines `user item item ...`, ids between spaces.

    The form in which the splits of LightGCN and its successors are passed on. A user without items
    gives no rows; empty lines are passed over; rows come in the order of the file.

    Args:
        path: the file.
        user: the name of the column of users. Defaults to `"user_id"`.
        item: the name of the column of items. Defaults to `"item_id"`.
        id_type: `"string"` or `"int64"`. Defaults to `"int64"`.

    Shapes: ids `(rows,)` int64 or object array of `str`.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when ids have to be numbers and one is not.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> from recs.data import read_user_items
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "train.txt"
    >>> _ = path.write_text("0 7 9\n1\n2 7\n")
    >>> log = read_user_items(path)
    >>> log.user, log.item
    (array([0, 0, 2]), array([7, 9, 7]))

    ```
    """
    where = fspath(path)
    check_id_type(id_type, where)
    if not Path(path).is_file():
        raise FileNotFoundError(
            explain(
                "`path`",
                rule="must be a file that exists",
                received=where,
                where="read_user_items",
                remedy=f"The working directory is {Path.cwd()}.",
            )
        )
    lines = [words for line in Path(path).read_text().splitlines() if (words := line.split())]
    counts = [len(words) - 1 for words in lines]
    columns = {
        user: np.repeat(np.array([words[0] for words in lines], object), counts),
        item: np.array([word for words in lines for word in words[1:]], object),
    }
    return Interactions(columns, {"user": user, "item": item}).with_id_type(id_type)
