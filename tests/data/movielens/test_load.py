import logging
import subprocess
import sys

import numpy as np
import pytest

from recs.data import movielens


def key(user, item, rating, timestamp):
    return (str(user), str(item), float(rating), int(timestamp))


def test_the_ratings_are_those_of_the_archive(small, original):
    """TFDS shuffles, so the rows are compared as sets: no two of them are equal."""
    expected = {
        key(row["userId"], row["movieId"], row["rating"], row["timestamp"]) for row in original[0]
    }
    got = {
        key(*row) for row in zip(small.user, small.item, small.rating, small.timestamp, strict=True)
    }
    assert len(small) == len(got) == 100_836
    assert got == expected
    assert len(set(small.user)) == 610


def test_the_movies_are_those_of_the_archive(small, original):
    items = small.items
    assert len(items) == 9_742
    got = dict(
        zip(items.item, zip(items.title, map(tuple, items.genres), strict=True), strict=True)
    )
    expected = {r["movieId"]: (r["title"], tuple(r["genres"].split("|"))) for r in original[1]}
    assert got == expected


def test_features_belong_to_their_movie(small, original):
    joined = small.with_item_features()
    title = {row["movieId"]: row["title"] for row in original[1]}
    genres = {row["movieId"]: row["genres"].split("|") for row in original[1]}
    rows = range(0, len(joined), 997)
    for row in rows:
        assert joined["movie_title"][row] == title[joined.item[row]]
        assert joined["movie_genres"][row] == genres[joined.item[row]]
    batch = next(iter(joined.to_dataset(["movie_id", "movie_genres"], batch_size=50)))
    for item, tags in zip(batch["movie_id"].numpy(), batch["movie_genres"].to_list(), strict=True):
        assert [tag.decode() for tag in tags] == genres[item.decode()]


def test_columns_roles_and_dtypes(small):
    assert small.keys() == ["user_id", "movie_id", "user_rating", "timestamp"]
    assert small["user_id"] is small.user
    assert (small.rating.dtype, small.timestamp.dtype) == (np.float32, np.int64)
    assert {type(entry) for entry in small.user} == {str}
    assert small.items.keys() == ["movie_id", "movie_title", "movie_genres"]


def test_the_order_is_that_of_tensorflow_datasets(small, movielens_dir):
    import tensorflow_datasets as tfds

    name = "movielens/latest-small-ratings"
    rows = tfds.load(name, split="train", data_dir=movielens_dir, download=False).take(500)
    for here, row in enumerate(rows.as_numpy_iterator()):
        assert row["user_id"].decode() == small.user[here]
        assert row["movie_id"].decode() == small.item[here]
        assert row["timestamp"] == small.timestamp[here]


def test_integer_ids(small, movielens_dir):
    numbers = movielens.load(data_dir=movielens_dir, id_type="int64")
    assert numbers.user.dtype == numbers.item.dtype == numbers.items.item.dtype == np.int64
    assert numbers.user.tolist() == [int(user) for user in small.user]
    with pytest.raises(
        ValueError, match=r"`id_type` must be .*id_type='int32' \(in movielens\.load"
    ):
        movielens.load(data_dir=movielens_dir, id_type="int32")


def test_a_prepared_load_is_silent_and_takes_no_lock(
    small, movielens_dir, caplog, capfd, monkeypatch
):
    def never(root):
        raise AssertionError("the data is there already")

    monkeypatch.setattr("recs.data.movielens.prepare._locked", never)
    with caplog.at_level(logging.WARNING):
        movielens.load(data_dir=movielens_dir)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_import_is_light_and_silent():
    heavy = {"tensorflow", "tensorflow_datasets", "pyarrow", "keras"}
    code = (
        "import recs, sys; before = set(sys.modules); import recs.data; "
        f"print(sorted({heavy} & set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
