"""What the tutorials of TFRS work on: bundled MovieLens, as dense as the 100K they download."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.data import Interactions

COLUMNS = ["user_id", "movie_id", "movie_title", "user_rating", "timestamp"]


@dataclasses.dataclass
class Tutorial:
    """Ratings of movies that 20 users or more have rated, at random 80 % to train on.

    Attributes:
        train: Training ratings, in memory.
        test: The other ratings, in memory.
        titles: Every movie's title, once.
        users: Every user's id, once.
        top_100_by_chance: The share of the movies that 100 are.
        rmse_of_mean: The error of the mean rating.
    """

    train: Interactions
    test: Interactions
    titles: np.ndarray
    users: np.ndarray
    top_100_by_chance: float
    rmse_of_mean: float

    def rows(self, part: str) -> tf.data.Dataset:
        """Returns a part as the tutorials have it: a dataset of dicts, one a rating."""
        return getattr(self, part).to_dataset(COLUMNS)

    def batches(self, part: str, size: int, columns: list[str] | None = None) -> tf.data.Dataset:
        """Returns a part in batches, training in random order."""
        shuffled = {"shuffle": True, "seed": 1} if part == "train" else {}
        return getattr(self, part).to_dataset(columns or COLUMNS, batch_size=size, **shuffled)

    @property
    def movies(self) -> tf.data.Dataset:
        """The titles, one an element."""
        return tf.data.Dataset.from_tensor_slices(self.titles)


@pytest.fixture(scope="session")
def tutorial() -> Tutorial:
    log = recs.data.movielens.load().with_item_features("movie_title", "movie_genres")
    _, of_title, counts = np.unique(
        log["movie_title"].astype(str), return_inverse=True, return_counts=True
    )
    log = log.take(counts[of_title] >= 20)
    order = np.random.default_rng(42).permutation(len(log))
    cut = int(0.8 * len(log))
    train, test = log.take(order[:cut]), log.take(order[cut:])
    titles = np.unique(log["movie_title"].astype(str))
    return Tutorial(
        train=train,
        test=test,
        titles=titles,
        users=np.unique(log.user.astype(str)),
        top_100_by_chance=100 / len(titles),
        rmse_of_mean=recs.evaluation.rating_baselines(train, test)["mean"],
    )


def top_100(figures: dict[str, float]) -> float:
    """Returns the accuracy that the tutorials look at."""
    return figures["factorized_top_k/top_100_categorical_accuracy"]
