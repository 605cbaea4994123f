"""MovieLens with genres for domains, in a configuration."""

from __future__ import annotations

from recs.data import movielens
from recs.data.interactions import Interactions
from recs.experiments.source import Source


class MovieLensGenres(Source):
    """Ratings with the movie's main genre as `domain`; see `recs.data.movielens.by_genre`.

    Args:
        variant: One of latest-small (in the package), 100k, 1m, 20m, 25m (downloaded). Defaults
            to `"latest-small"`.
        min_ratings: How many ratings make a domain. Defaults to `500`.
        liked: The rating from which a movie is liked. Defaults to `4.0`.
        data_dir: Where prepared data is kept. Defaults to `None`: TFDS's directory.
        archive_dir: A folder with GroupLens's original archive; nothing is downloaded then.
            Defaults to `None`.

    Example:
    ```python
    >>> from recs.experiments import MovieLensGenres
    >>> "Documentary" in set(MovieLensGenres().load()["domain"])
    True

    ```
    """

    def __init__(
        self,
        variant: str = "latest-small",
        min_ratings: int = 500,
        liked: float = 4.0,
        data_dir: str | None = None,
        archive_dir: str | None = None,
    ) -> None:
        self.variant = variant
        self.min_ratings = min_ratings
        self.liked = liked
        self.where = {"data_dir": data_dir, "archive_dir": archive_dir}

    def load(self) -> Interactions:
        """Returns the ratings, with `domain`, `movie_genres`, `year` and `liked`."""
        return movielens.by_genre(self.variant, self.min_ratings, self.liked, **self.where)
