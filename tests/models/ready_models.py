"""Every ready model, small, with data that it learns from."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

import recs
from recs.data import Interactions, by_user, sequences
from recs.layers.sequence import GRU4Rec
from recs.models import (
    LightGCN,
    MultiTaskModel,
    RatingModel,
    SequentialRetrieval,
    TwoTower,
)
from tests.models.meta_models import rating_learner, rating_rows, tensors

LOG = Interactions(
    {
        "user": [f"u{i % 4}" for i in range(12)],
        "item": [f"i{i % 5}" for i in range(12)],
        "rating": [float(i % 3) for i in range(12)],
        "timestamp": list(range(12)),
    }
)
COLUMNS = {"user": "user", "item": "item", "embedding_dim": 3, "seed": 5}
LABELS = {
    "kind": np.array(["a", "b", "c", "a"], object),
    "long": np.array([1.0, 0.0, 1.0, 0.0], "float32"),
}


def popular(model):
    return model.set_popularity(LOG.item_counts())


def pairs():
    return LOG.to_dataset(batch_size=6)


def windows():
    return sequences.windows(LOG, 4).to_dataset(["history", "item"], batch_size=4)


def labelled():
    return tf.data.Dataset.from_tensor_slices(LABELS).batch(4)


def ratings():
    rows = rating_rows(np.random.default_rng(0))
    return tf.data.Dataset.from_tensor_slices(tensors(rows)).batch(24)


def users():
    return by_user(LOG).to_dataset(batch_size=4)


# By name: the model, its data, and what it lacks until it is told.
NEEDS = {
    "two_tower": (lambda: TwoTower(**COLUMNS, units=[3], correct_sampling=True), pairs, popular),
    "negatives": (
        lambda: TwoTower(**COLUMNS, negatives=recs.layers.negatives.Popular(4, seed=1)),
        pairs,
        popular,
    ),
    "sequential": (
        lambda: SequentialRetrieval(
            GRU4Rec(4, output_dim=3, seed=1),
            item="item",
            embedding_dim=3,
            seed=2,
            correct_sampling=True,
        ),
        windows,
        popular,
    ),
    "light_gcn": (lambda: LightGCN(**COLUMNS), users, lambda m: m.set_graph(LOG)),
}
# Models that need nothing; their first data lacks a column.
READY = {
    "rating": (lambda: RatingModel(**COLUMNS, rating="rating", dropout=0.0), pairs, "item"),
    "two_tower": (lambda: TwoTower(**COLUMNS, units=[3]), pairs, "item"),
    "meta_learner": (rating_learner, ratings, "item_id"),
    "multi_task": (
        lambda: MultiTaskModel(["long"], None, categories=["kind"], numbers=[], seed=1),
        labelled,
        "kind",
    ),
}
