import numpy as np
import pytest

from recs.data import Items, RaggedColumn


def test_an_item_has_one_row():
    with pytest.raises(
        ValueError, match=r"Each item must have one row. Received: 'b' in rows 1, 3 \(in Items\)"
    ):
        Items({"item": ["a", "b", "c", "b"]})


def test_rows_of_finds_each_id():
    items = Items({"item": np.array([30, 10, 20])})
    assert items.rows_of(np.array([10, 30, 10, 20])).tolist() == [1, 0, 1, 2]
    with pytest.raises(KeyError, match=r"Every item id must be one of the 3 items") as caught:
        items.rows_of(np.array([10, 99, 7, 99]))
    assert "Received: 2 ids that are not: 7, 99" in str(caught.value)


def test_kinds_of_title_and_genres():
    genres = RaggedColumn.from_lists([["x"]])
    items = Items({"item": [1], "title": ["t"], "genres": genres})
    assert items.title.tolist() == ["t"]
    assert items.genres is genres
    assert Items({"item": [1]}).title is None
    with pytest.raises(
        ValueError, match=r"Column 'genres' must hold lists of strings .* to be the genres"
    ):
        Items({"item": [1], "genres": ["x"]})
    with pytest.raises(
        ValueError, match=r"Column 'title' must hold strings to be the title. Received: dtype int64"
    ):
        Items({"item": [1], "title": [5]})
    with pytest.raises(
        ValueError, match=r"must hold strings to be the title. Received: RaggedColumn"
    ):
        Items({"item": [1], "title": genres})
