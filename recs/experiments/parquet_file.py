"""Interactions of one's own, in Parquet, in a configuration."""

from __future__ import annotations

from typing import Literal

from recs.data import read_parquet
from recs.data.interactions import Interactions
from recs.experiments.items_file import ItemsFile
from recs.experiments.source import Source


class ParquetFile(Source):
    """A Parquet file, or a folder of them; see `recs.data.read_parquet`.

    Args:
        path: The file or folder; a relative path starts in the current folder.
        user: The column of user ids.
        item: The column of item ids.
        rating: The column of ratings. Defaults to `None`: none.
        timestamp: The column of times. Defaults to `None`: none, and only `AtRandom` can split.
        items: The catalogue. Defaults to `None`: the items of the interactions, without titles.
        id_type: `"string"` or `"int64"`. Defaults to `"string"`.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> from recs.experiments import ParquetFile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.parquet"
    >>> pq.write_table(pa.table({"who": [1, 2], "what": ["a", "b"]}), path)
    >>> ParquetFile(str(path), user="who", item="what").load()
    Interactions(2 rows: who (user), what (item))

    ```
    """

    def __init__(
        self,
        path: str,
        user: str,
        item: str,
        rating: str | None = None,
        timestamp: str | None = None,
        items: ItemsFile | None = None,
        id_type: Literal["string", "int64"] = "string",
    ) -> None:
        self.path = path
        self.roles = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
        self.items = items
        self.id_type = id_type

    def load(self) -> Interactions:
        """Returns the interactions."""
        items = None if self.items is None else self.items.load(self.id_type)
        roles = self.roles
        return read_parquet(self.path, **roles, items=items, id_type=self.id_type)  # type: ignore[arg-type]
