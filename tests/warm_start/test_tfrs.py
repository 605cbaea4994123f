"""A model of TFRS, made by TFRS, read here."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.layers import factorized_top_k
from recs.warm_start import TableInfo, from_checkpoint, tables_in

SIDE = pathlib.Path(__file__).parent / "tfrs_side.py"
USERS = [f"u{i}" for i in range(12)]
MOVIES = ["é", "Dark, The", "", "07", *(f"m{i}" for i in range(11))]
TAGS = [5, -3, 2**60, 7]
DIM = 4


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder in which TFRS left a model, and what it answers."""
    folder = tmp_path_factory.mktemp("tfrs")
    done = subprocess.run(
        [sys.executable, str(SIDE), str(folder)],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    with np.load(folder / "answer.npz") as answer:
        return folder, dict(answer)


def check(rows, ids, expected):
    """Compares with the vectors of TFRS's tower, and sees that no other id has a row."""
    key_dtype = "int64" if isinstance(ids[0], int) else "string"
    layer = recs.layers.DynamicEmbedding(DIM, key_dtype=key_dtype)
    assert rows.into(layer).new == len(ids) == layer.table.size()
    np.testing.assert_array_equal(layer(tf.constant(ids)), expected)


@pytest.mark.slow
def test_a_saved_model_shows_its_layers(saved):
    found = tables_in(saved[0] / "saved_model")
    vocabularies = {i.name.split("/")[0]: i[2:] for i in found if i.kind == "vocabulary"}
    embeddings = {i.name.split("/")[0]: i[2:] for i in found if i.kind == "embedding"}
    assert vocabularies == {
        "user_model": ("string", None, 12, None),
        "movie_model": ("string", None, 15, None),
        "tag_model": ("int64", None, 4, None),
    }
    assert embeddings == {
        "user_model": (None, "float32", 13, DIM),
        "movie_model": (None, "float32", 19, DIM),
        "tag_model": (None, "float32", 6, DIM),
    }
    assert len(found) == 6


def name_of(path, tower):
    return next(i.name for i in tables_in(path) if i.kind == "embedding" and tower in i.name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tower", "ids", "field"),
    [
        ("user_model", USERS, "users"),
        ("movie_model", MOVIES, "movies"),
        ("tag_model", TAGS, "tags"),
    ],
)
def test_a_saved_model_knows_its_ids(saved, tower, ids, field):
    folder, answer = saved
    path = folder / "saved_model"
    check(from_checkpoint(path, name_of(path, tower)), ids, answer[field])


@pytest.mark.slow
def test_saved_models_of_a_tower_and_of_an_index(saved):
    folder, answer = saved
    check(from_checkpoint(folder / "user_model"), USERS, answer["users"])
    check(from_checkpoint(folder / "index"), USERS, answer["users"])


@pytest.mark.slow
@pytest.mark.parametrize("place", ["checkpoint", "weights"])
def test_a_checkpoint_needs_the_ids(saved, place):
    folder, answer = saved
    path = folder / place
    prefix = "model/" if place == "checkpoint" else ""
    name = f"{prefix}user_model/layer_with_weights-0"
    assert TableInfo(name, "embedding", None, "float32", 13, DIM) in tables_in(path)
    assert [info.kind for info in tables_in(path)] == ["embedding"] * 3
    with pytest.raises(ValueError, match="`vocabulary` must name one that is there"):
        from_checkpoint(path, name)
    check(from_checkpoint(path, name, vocabulary=USERS, first_row=1), USERS, answer["users"])
    movies = from_checkpoint(path, name_of(path, "movie_model"), MOVIES, first_row=4)
    check(movies, MOVIES, answer["movies"])


@pytest.mark.slow
def test_a_warm_started_model_recommends_the_same(saved):
    folder, answer = saved
    path = folder / "saved_model"
    users, movies, tags = (
        recs.layers.DynamicEmbedding(DIM, key_dtype=kind) for kind in ("string", "string", "int64")
    )
    for layer, tower in ((users, "user_model"), (movies, "movie_model"), (tags, "tag_model")):
        from_checkpoint(path, name_of(path, tower)).into(layer)
    index = factorized_top_k.BruteForce(users, k=5)
    items = movies(tf.constant(MOVIES)) + tags(tf.constant((TAGS * 4)[:15], tf.int64))
    index.index(items, tf.constant(MOVIES))
    scores, titles = index(tf.constant(USERS))
    np.testing.assert_allclose(scores, answer["scores"], rtol=1e-6)
    assert titles.numpy().tolist() == answer["titles"].tolist()
