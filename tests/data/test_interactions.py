import collections

import numpy as np
import pytest

from recs.data import Interactions, Items, RaggedColumn

ITEMS = Items(
    {
        "item": ["x", "y", "z"],
        "title": ["X!", "Y!", "Z!"],
        "genres": RaggedColumn.from_lists([["p", "q"], [], ["r"]]),
        "year": [1990, 1991, 1992],
    }
)


def test_roles_have_their_dtypes(log):
    assert log.rating.dtype == np.float32
    assert log.timestamp.dtype == np.int64
    assert log.user.dtype == object
    assert Interactions({"user": [1], "item": [2]}).rating is None
    assert Interactions({"user": [1], "item": [2]}).timestamp is None


def test_item_counts_are_those_of_a_counter(log):
    counts = log.item_counts()
    assert counts == collections.Counter(log.item.tolist())
    assert list(counts) == ["x", "y", "z"]  # x 5, y 4, z 3
    tied = Interactions({"user": [1] * 4, "item": [9, 2, 5, 5]})
    assert list(tied.item_counts().items()) == [(5, 2), (2, 1), (9, 1)]


def test_features_of_items_are_joined_by_id(log):
    joined = Interactions(dict(log), items=ITEMS).with_item_features()
    assert joined["title"].tolist() == [f"{item.upper()}!" for item in log.item]
    genres = {"x": ["p", "q"], "y": [], "z": ["r"]}
    assert joined["genres"].to_list() == [genres[item] for item in log.item]
    assert "year" not in joined
    assert joined.with_item_features("year")["year"][0] == 1990
    assert repr(joined).endswith("title, genres; 3 items)")


def test_join_errors(log):
    with pytest.raises(
        ValueError, match=r"`items` must be there to join features.*Received: items=None"
    ):
        log.with_item_features()
    joined = Interactions(dict(log), items=ITEMS).with_item_features("title")
    with pytest.raises(
        ValueError, match=r"must not bear the name of a column of the inter.*Received: 'title'"
    ):
        joined.with_item_features("title")
    with pytest.raises(
        KeyError, match=r"The column must be one of item, title, genres, year. Received: 'x'"
    ):
        joined.with_item_features("x")
    with pytest.raises(
        KeyError, match=r"must be one of the 2 items. Received: 1 ids that are not: 'z'"
    ):
        Interactions(dict(log), items=ITEMS.take([0, 1])).with_item_features()


def test_wrong_columns_name_the_column():
    with pytest.raises(
        ValueError, match=r"Column 'user' must hold a string in every row.*NoneType in row 1"
    ):
        Interactions({"user": np.array(["a", None], dtype=object), "item": [1, 2]})
    with pytest.raises(ValueError, match=r"Column 'at' must hold whole numbers"):
        Interactions(
            {"user": [1], "item": [1], "at": [0.5]},
            {"user": "user", "item": "item", "timestamp": "at"},
        )
    with pytest.raises(
        ValueError, match=r"Column 'rating' must hold finite numbers. Received: inf in row 0"
    ):
        Interactions({"user": [1], "item": [1], "rating": [np.inf]})
