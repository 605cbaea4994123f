"""Ratings whose domains are the movies' main genres."""

from __future__ import annotations

import re

import numpy as np

from recs.data.interactions import Interactions
from recs.data.movielens.load import load
from recs.data.ragged_column import RaggedColumn

OTHER = "Other"


def by_genre(
    variant: str = "latest-small",
    min_ratings: int = 500,
    liked: float = 4.0,
    data_dir: str | None = None,
    archive_dir: str | None = None,
) -> Interactions:
    """Returns the ratings with the movie's main genre as `domain`, and whether it was liked.

    A movie's main genre is the first that it lists. Genres of fewer than `min_ratings` ratings are
    the domain "Other". Beside the columns of `load` there are `domain`, `movie_genres` (lists),
    `year` (of release, as text, "" where the title has none) and `liked`, float32.

    Args:
        variant: As in `load`. Defaults to `"latest-small"`.
        min_ratings: int. How many ratings make a domain. Defaults to `500`.
        liked: float. The rating from which a movie is liked. Defaults to `4.0`.
        data_dir: As in `load`. Defaults to `None`.
        archive_dir: As in `load`. Defaults to `None`.

    Raises:
        ValueError: as `load` does.

    Example:
    ```python
    >>> from recs.data import movielens
    >>> ratings = movielens.by_genre()
    >>> len(set(ratings["domain"])), round(float(ratings["liked"].mean()), 2)
    (12, 0.48)

    ```
    """
    data = load(variant, data_dir=data_dir, archive_dir=archive_dir)
    data = data.with_item_features("movie_genres", "movie_title")
    genres = data["movie_genres"]
    assert isinstance(genres, RaggedColumn)  # as `load` says
    main = np.array([row[0] if row else OTHER for row in genres.to_list()], object)
    names, counts = np.unique(main.astype(str), return_counts=True)
    large = set(names[counts >= min_ratings])
    columns = {name: data[name] for name in data if name != "movie_title"}
    columns["domain"] = np.array([name if name in large else OTHER for name in main], object)
    titles = np.asarray(data["movie_title"]).tolist()
    years = [re.search(r"\((\d{4})\)\s*$", title) for title in titles]
    columns["year"] = np.array([found[1] if found else "" for found in years], object)
    columns["liked"] = (np.asarray(data.rating) >= liked).astype(np.float32)
    return Interactions(columns, dict(data.roles or {}), items=data.items)
