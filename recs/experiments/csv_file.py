"""Interactions of one's own, in CSV, in a configuration."""

from __future__ import annotations

from typing import Literal

from recs.data import read_csv
from recs.data.interactions import Interactions
from recs.data.items import Items
from recs.experiments.interactions_file import InteractionsFile
from recs.experiments.items_file import ItemsFile


class CsvFile(InteractionsFile):
    r"""A CSV file of interactions with a header line; see `recs.data.read_csv`.

    Args:
        path: The file; a relative path starts in the current folder.
        user: The column of user ids.
        item: The column of item ids.
        rating: The column of ratings. Defaults to `None`: none.
        timestamp: The column of times. Defaults to `None`: none, and only `AtRandom` can split.
        items: The catalogue. Defaults to `None`: the items of the interactions, without titles.
        id_type: `"string"` or `"int64"`. Defaults to `"string"`.
        delimiter: What stands between fields. Defaults to `","`.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> from recs.experiments import CsvFile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.csv"
    >>> _ = path.write_text("who,what\nann,7\n")
    >>> CsvFile(str(path), user="who", item="what").load()
    Interactions(1 rows: who (user), what (item))

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
        delimiter: str = ",",
    ) -> None:
        super().__init__(path, user, item, rating, timestamp, items, id_type)
        self.delimiter = delimiter

    def _read(self, items: Items | None) -> Interactions:
        return read_csv(
            self.path,
            **self.roles,  # type: ignore[arg-type]
            items=items,
            id_type=self.id_type,
            delimiter=self.delimiter,
        )
