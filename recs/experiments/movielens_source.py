"""MovieLens in a configuration."""

from __future__ import annotations

from typing import Literal

from recs.data import movielens
from recs.data.interactions import Interactions
from recs.experiments.source import Source


class MovieLens(Source):
    """A variant of MovieLens; its columns are `user_id`, `movie_id`, `user_rating`, `timestamp`.

    Args:
        variant: One of latest-small (in the package), 100k, 1m, 20m, 25m (downloaded). Defaults
            to `"latest-small"`.
        data_dir: Where prepared data is kept. Defaults to `None`: TFDS's directory.
        archive_dir: A folder with GroupLens's original archive; nothing is downloaded then.
            Defaults to `None`.
        id_type: `"string"` or `"int64"`. Defaults to `"string"`.

    Example:
    ```python
    >>> from recs.experiments import MovieLens
    >>> MovieLens(id_type="int64").load().user.dtype
    dtype('int64')

    ```
    """

    def __init__(
        self,
        variant: str = "latest-small",
        data_dir: str | None = None,
        archive_dir: str | None = None,
        id_type: Literal["string", "int64"] = "string",
    ) -> None:
        self.variant = variant
        self.data_dir = data_dir
        self.archive_dir = archive_dir
        self.id_type = id_type

    def load(self) -> Interactions:
        """Returns the ratings, with their movies as `items`."""
        return movielens.load(
            self.variant,
            data_dir=self.data_dir,
            archive_dir=self.archive_dir,
            id_type=self.id_type,
        )
