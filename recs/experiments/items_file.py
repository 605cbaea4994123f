"""A catalogue of one's own in a configuration."""

from __future__ import annotations

from typing import Literal

from recs.data import read_items
from recs.data.items import Items


class ItemsFile:
    r"""A CSV or Parquet file of items; see `recs.data.read_items`.

    Args:
        path: The file; a relative path starts in the current folder.
        item: The column of item ids.
        title: The column of titles. Defaults to `None`: none.
        genres: The column of genres. Defaults to `None`: none.
        genres_delimiter: What stands between genres. Defaults to `"|"`.
        delimiter: What stands between fields of a CSV file. Defaults to `","`.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> from recs.experiments import ItemsFile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "films.csv"
    >>> _ = path.write_text("id,name\n7,Heat\n")
    >>> ItemsFile(str(path), item="id", title="name").load("string").title.tolist()
    ['Heat']

    ```
    """

    def __init__(
        self,
        path: str,
        item: str,
        title: str | None = None,
        genres: str | None = None,
        genres_delimiter: str = "|",
        delimiter: str = ",",
    ) -> None:
        self.path = path
        self.item = item
        self.title = title
        self.genres = genres
        self.genres_delimiter = genres_delimiter
        self.delimiter = delimiter

    def load(self, id_type: Literal["string", "int64"]) -> Items:
        """Returns the items, their ids as strings or as int64."""
        return read_items(
            self.path,
            item=self.item,
            title=self.title,
            genres=self.genres,
            genres_delimiter=self.genres_delimiter,
            id_type=id_type,
            delimiter=self.delimiter,
        )
