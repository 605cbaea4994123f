"""Loads a variant of MovieLens into memory."""

from __future__ import annotations

from os import PathLike

from recs.data.ids import IdType, check_id_type
from recs.data.interactions import Interactions
from recs.data.items import Items
from recs.data.movielens.licence import acknowledge
from recs.data.movielens.prepare import prepared
from recs.data.movielens.records import read
from recs.data.movielens.variants import check_variant

_MOVIE = {"item": "movie_id", "title": "movie_title", "genres": "movie_genres"}
_RATING = {
    "user": "user_id",
    "item": "movie_id",
    "rating": "user_rating",
    "timestamp": "timestamp",
}


def load(
    variant: str = "latest-small",
    *,
    data_dir: str | PathLike[str] | None = None,
    archive_dir: str | PathLike[str] | None = None,
    id_type: IdType = "string",
) -> Interactions:
    """Returns the ratings of a MovieLens variant, and its movies as their `items`.

    The columns bear the names of TensorFlow Datasets: `user_id`, `movie_id`, `user_rating`,
    `timestamp` (seconds since 1970, UTC), in 100k and 1m also what is known of the user
    (`user_gender`, `bucketized_user_age`, `user_occupation_label`, ...). `movie_title` and
    `movie_genres` are columns of `items`; `with_item_features()` puts them beside each rating,
    where TensorFlow Datasets has them.

    The first load prepares the data (latest-small: some ten seconds) and keeps it in TFDS's
    directory; later ones read it. Processes that load at the same time prepare it once.

    Args:
        variant: one of `VARIANTS`: `"latest-small"` (100,836 ratings, in the package), `"100k"`,
            `"1m"`, `"20m"`, `"25m"` (downloaded). Defaults to `"latest-small"`.
        data_dir: where prepared data is kept. Defaults to `None`: TFDS's default,
            `~/tensorflow_datasets` or `TFDS_DATA_DIR`.
        archive_dir: a folder that holds GroupLens's original archive, such as `ml-1m.zip`, or
            that file; nothing is downloaded then. Defaults to `None`: the package or the network.
        id_type: `"string"` keeps ids as TFDS gives them, `"int64"` makes them numbers. Defaults
            to `"string"`.

    Shapes: ids `(ratings,)` object array of `str` or int64; `user_rating` float32; `timestamp`
        int64; `items.genres` a `RaggedColumn` of `str`.

    Raises:
        ConnectionError: when it must be downloaded and cannot be; the message says which file to
            put where.
        FileNotFoundError: when `archive_dir` does not hold the archive.
        PermissionError: when `data_dir` cannot be written.
        ValueError: when the variant or `id_type` is not known, or the archive is another one.

    Example:
    ```python
    >>> from recs.data import movielens
    >>> ratings = movielens.load()
    >>> len(ratings), len(ratings.items)
    (100836, 9742)
    >>> joined = ratings.with_item_features()
    >>> train = joined.to_dataset(["user_id", "movie_title"], batch_size=4096, shuffle=True)

    ```
    """
    check_variant(variant)
    check_id_type(id_type, "movielens.load")
    acknowledge()
    movies = prepared(variant, "movies", data_dir, archive_dir)
    ratings = prepared(variant, "ratings", data_dir, archive_dir)
    items = Items(read(movies, list(_MOVIE.values())), _MOVIE)
    repeated = (_MOVIE["title"], _MOVIE["genres"])
    further = set(ratings.info.features).difference(_RATING.values(), repeated)
    data = Interactions(read(ratings, [*_RATING.values(), *sorted(further)]), _RATING, items)
    return data if id_type == "string" else data.with_id_type(id_type)
