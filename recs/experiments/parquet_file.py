"""Interactions of one's own, in Parquet, in a configuration."""

from __future__ import annotations

from recs.data import read_parquet
from recs.data.interactions import Interactions
from recs.data.items import Items
from recs.experiments.interactions_file import InteractionsFile


class ParquetFile(InteractionsFile):
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

    def _read(self, items: Items | None) -> Interactions:
        roles = self.roles
        return read_parquet(self.path, **roles, items=items, id_type=self.id_type)  # type: ignore[arg-type]
