"""Tables and recommendations, shown in part and given to pandas."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from recs.data import Interactions, Items, RaggedColumn
from recs.models import Recommendations

pd = pytest.importorskip("pandas")
LOG = {"user": ["a", "b", "c"], "item": [1, 2, 3], "rating": [1.0, 2.0, 3.0],
       "tags": RaggedColumn.from_lists([["x"], [], ["y", "z"]])}  # fmt: skip
BEST = Recommendations(
    np.array([["x", "y"], ["y", "z"], ["z", "x"]], object),
    np.array([[2, 1], [3, np.finfo("float32").min], [1, 0]], "float32"),
    np.array([["X", "Y"], ["Y", "Z"], ["Z", "X"]], object),
)


def test_a_table_shows_its_first_rows():
    log = Interactions(LOG, items=Items({"item": [1, 2, 3]}))
    assert log.head(2).user.tolist() == ["a", "b"]
    assert log.head(2).items is log.items
    assert len(log.head()) == 3
    assert len(log.head(0)) == 0
    with pytest.raises(ValueError, match="`rows` must not be negative"):
        log.head(-1)


def test_a_table_becomes_a_frame_that_may_be_written_to():
    log = Interactions(LOG)
    frame = log.to_pandas()
    assert list(frame.columns) == ["user", "item", "rating", "tags"]
    assert frame["user"].tolist() == ["a", "b", "c"]
    assert frame["item"].dtype == np.int64
    assert frame["rating"].dtype == np.float32
    assert frame["tags"].tolist() == [["x"], [], ["y", "z"]]
    frame.loc[0, "item"] = 9
    assert log.item.tolist() == [1, 2, 3]
    assert len(log.head(0).to_pandas()) == 0


def test_recommendations_become_a_row_per_user_and_item():
    frame = BEST.to_pandas(["ann", "bob", "cid"])
    assert frame["user"].tolist() == ["ann", "ann", "bob", "cid", "cid"]
    assert frame["rank"].tolist() == [1, 2, 1, 1, 2]
    assert frame["id"].tolist() == ["x", "y", "y", "z", "x"]
    assert frame["title"].tolist() == ["X", "Y", "Y", "Z", "X"]
    assert frame["score"].tolist() == [2, 1, 3, 1, 0]
    assert BEST._replace(titles=None).to_pandas()["user"].tolist() == [0, 0, 1, 2, 2]
    assert BEST.head(1).ids.tolist() == [["x", "y"]]
    assert BEST.head(1)._replace(titles=None).head().titles is None
    with pytest.raises(ValueError, match="a user for each of the 3 rows"):
        BEST.to_pandas(["ann"])
    with pytest.raises(ValueError, match="`users` must not be negative"):
        BEST.head(-2)


@pytest.mark.parametrize("give", [Interactions(LOG).to_pandas, BEST.to_pandas])
def test_without_pandas_the_error_says_how_to_get_it(monkeypatch, give):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'recs\[pandas\]'"):
        give()
