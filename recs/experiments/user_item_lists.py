"""Interactions that come in parts, each a file with a line a user, in a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from recs.data import read_user_items
from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.errors import explain
from recs.experiments.source import Source


class UserItemLists(Source):
    r"""A folder of files of lines `user item item ...`, one file a part; split it by `AsGiven`.

    Args:
        folder: The folder; a relative path starts in the current one.
        train: The file of the training part. Defaults to `"train.txt"`.
        validation: That of the validation part, or `None`. Defaults to `"valid.txt"`.
        test: That of the test part. Defaults to `"test.txt"`.
        user: The name of the column of users. Defaults to `"user_id"`.
        item: The name of the column of items. Defaults to `"item_id"`.
        id_type: `"string"` or `"int64"`. Defaults to `"int64"`.
        in_order: Whether the items of a line stand in the order in which the user took them. Then
            there is a column `place`, in the role of the timestamp: how far along its line, in
            millionths. Defaults to `False`.

    Raises:
        FileNotFoundError: when there is no such folder, or a file is missing in it.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> from recs.experiments import UserItemLists
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name, text in (("train", "0 7 9\n1 7\n"), ("test", "1 9\n")):
    ...     _ = (folder / f"{name}.txt").write_text(text)
    >>> UserItemLists(str(folder), validation=None).load()["part"].tolist()
    ['train', 'train', 'train', 'test']

    ```
    """

    def __init__(
        self,
        folder: str,
        train: str = "train.txt",
        validation: str | None = "valid.txt",
        test: str = "test.txt",
        user: str = "user_id",
        item: str = "item_id",
        id_type: Literal["string", "int64"] = "int64",
        in_order: bool = False,
    ) -> None:
        self.folder = folder
        self.files = {"train": train, "validation": validation, "test": test}
        self.user = user
        self.item = item
        self.id_type = id_type
        self.in_order = in_order

    def load(self) -> Interactions:
        """Returns the interactions of all parts; the column `part` says of which each is."""
        if not Path(self.folder).is_dir():
            raise FileNotFoundError(
                explain(
                    "`folder`",
                    rule="must be a folder that exists",
                    received=f"{self.folder!r}",
                    where="UserItemLists",
                    remedy="Give it on the command line: --data.folder=PATH.",
                )
            )
        logs = {
            part: read_user_items(
                Path(self.folder) / file,
                user=self.user,
                item=self.item,
                id_type=self.id_type,
            )
            for part, file in self.files.items()
            if file is not None
        }
        names = [np.full(len(log), part, object) for part, log in logs.items()]
        columns = {
            "part": np.concatenate(names),
            self.user: np.concatenate([log.user for log in logs.values()]),
            self.item: np.concatenate([log.item for log in logs.values()]),
        }
        roles = {"user": self.user, "item": self.item}
        if self.in_order:
            columns["place"] = np.concatenate([_places(log.user) for log in logs.values()])
            roles["timestamp"] = "place"
        return Interactions(columns, roles)


def _places(users: np.ndarray) -> np.ndarray:
    """Returns how far along the rows of its user each row is, from 0 to 1,000,000."""
    code, _ = codes(users)
    order = np.argsort(code, kind="stable")
    count = np.bincount(code)
    first = np.repeat(np.cumsum(count) - count, count)
    place = np.empty(len(users), np.int64)
    place[order] = 1_000_000 * (2 * (np.arange(len(users)) - first) + 1) // (2 * count[code[order]])
    return place
