"""`recs.examples.movielens` against TFRS: the same figures, and the same lists of the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.examples import movielens
from tests.parity.peer import Case, run_tfrs

USERS, MOVIES = 12, 40


def _evaluate_case(seed: int, text: bool, train: bool, k: int) -> Case:
    rng = np.random.default_rng(seed)
    # In no order, so that rows and ids differ.
    users, movies = rng.permutation(USERS) * 3, rng.permutation(MOVIES) * 7
    kind = str if text else "int64"
    arrays = {
        "known_users": users.astype(str),
        "users": rng.normal(size=(USERS, 4)).astype("float32"),
        "vectors": rng.normal(size=(MOVIES, 4)).astype("float32"),
        "movies_movie_id": movies.astype(kind),
    }
    for part, rows in (("test", 70), ("train", 150)):
        # Users of the training that are not tested, and the same movie several times.
        some = users[: USERS - 3] if part == "test" else users
        arrays[f"{part}_user_id"] = rng.choice(some, rows).astype(kind)
        arrays[f"{part}_movie_id"] = rng.choice(movies, rows).astype(kind)
    return Case("evaluate", {"train": train, "k": k}, arrays)


def _lists_case(seed: int, **options) -> Case:
    rng = np.random.default_rng(seed)
    rows = 200
    arrays = {
        "rows_user_id": rng.integers(0, 30, rows).astype(str),
        "rows_movie_title": rng.integers(0, 50, rows).astype(str),
        "rows_user_rating": rng.integers(1, 6, rows).astype("float32"),
    }
    return Case("sample_listwise", {"seed": seed, **options}, arrays)


EVALUATE = {
    f"{text}-{train}-{k}": _evaluate_case(k, text, train, k)
    for text in (False, True)
    for train in (False, True)
    for k in (1, 10)
}
LISTS = {
    "default": _lists_case(1, num_examples_per_list=5),
    "many": _lists_case(2, num_list_per_user=3, num_examples_per_list=8),
}


@pytest.fixture(scope="module")
def tfrs():
    return run_tfrs("examples_movielens", {**EVALUATE, **LISTS}, "tfrs_examples_side.py")


def rows(case: Case, part: str) -> tf.data.Dataset:
    start = f"{part}_"
    chosen = {k.removeprefix(start): x for k, x in case.arrays.items() if k.startswith(start)}
    return tf.data.Dataset.from_tensor_slices(chosen)


@pytest.mark.parametrize("batch", [None, 16])
@pytest.mark.parametrize("name", EVALUATE)
def test_evaluate(name, batch, tfrs):
    case = EVALUATE[name]

    def model(ids, vectors, column):
        place = {one: row for row, one in enumerate(ids.astype(str))}

        def embed(features):
            asked = features[column].numpy()
            text = [one.decode() if isinstance(one, bytes) else str(one) for one in asked]
            return vectors[[place[one] for one in text]]

        return embed

    given = {part: rows(case, part) for part in ("test", "movies", "train")}
    if batch:
        given = {part: dataset.batch(batch) for part, dataset in given.items()}
    figures = movielens.evaluate(
        model(case.arrays["known_users"], case.arrays["users"], "user_id"),
        model(case.arrays["movies_movie_id"], case.arrays["vectors"], "movie_id"),
        given["test"],
        given["movies"],
        given["train"] if case.options["train"] else None,
        k=case.options["k"],
    )
    assert figures.keys() == tfrs[name].keys()
    for key, value in figures.items():
        assert value == pytest.approx(float(tfrs[name][key]), rel=1e-9)


@pytest.mark.parametrize("name", LISTS)
def test_sample_listwise(name, tfrs):
    case = LISTS[name]
    lists = movielens.sample_listwise(rows(case, "rows"), **case.options)
    batch = next(iter(lists.batch(10_000)))
    assert batch.keys() == tfrs[name].keys()
    for key, value in batch.items():
        value = value.numpy()
        shown = value if value.dtype != object else np.char.decode(value.astype(bytes))
        theirs = tfrs[name][key]
        if theirs.dtype.kind == "U" and theirs.size and theirs.flat[0].startswith("b'"):
            theirs = np.char.strip(np.char.lstrip(theirs, "b"), "'")
        np.testing.assert_array_equal(shown, theirs)
