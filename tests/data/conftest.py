"""Data that several tests read."""

import csv
import io
import os
import zipfile
from importlib import resources

import numpy as np
import pytest

from recs.data import Interactions


@pytest.fixture(scope="session")
def movielens_dir(tmp_path_factory):
    """A TFDS directory that starts empty; the first load prepares into it, for all workers."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    (shared / "tfds").mkdir(exist_ok=True)
    return shared / "tfds"


@pytest.fixture(scope="session")
def small(movielens_dir):
    """MovieLens latest-small as `movielens.load` gives it."""
    from recs.data import movielens

    return movielens.load(data_dir=movielens_dir)


@pytest.fixture(scope="session")
def original():
    """MovieLens latest-small as Python's csv module reads it: (ratings, movies), lists of dicts."""
    bundled = resources.files("recs.data") / "bundled" / "ml-latest-small.zip"
    with bundled.open("rb") as file, zipfile.ZipFile(file) as archive:
        ratings, movies = (
            list(csv.DictReader(io.TextIOWrapper(archive.open(f"ml-latest-small/{name}.csv"))))
            for name in ("ratings", "movies")
        )
    return ratings, movies


@pytest.fixture
def log():
    """Twelve interactions of three users with ties in time."""
    return Interactions(
        {
            "user": list("aabbbbbcaaac"),
            "item": list("xyxyzxyzzxyx"),
            "rating": np.arange(12) % 5,
            "timestamp": [5, 1, 9, 9, 9, 2, 3, 4, 5, 5, 7, 8],
            "row": np.arange(12),
        }
    )
