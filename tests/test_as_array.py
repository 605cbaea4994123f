"""Lists of text and something else are refused wherever ids and categories come in."""

from __future__ import annotations

import numpy as np
import pytest

from recs.as_array import as_array, is_text
from recs.data import Interactions, RaggedColumn
from recs.layers.categories import as_text
from recs.models import Tower, TwoTower
from recs.models.encode import in_batches

MIXED = [["a", 1], ["a", None], ["a", np.nan], ["a", True], [1, "a"]]


@pytest.mark.parametrize("values", [["a", "b"], [1, 2], [1.5, 2], [[1], [2]], [], [b"a", "b"]])
def test_other_lists_are_what_numpy_makes_of_them(values):
    expected = np.asarray(values)
    text = expected.dtype.kind in "US"
    assert as_array(values).dtype == (object if text else expected.dtype)
    assert as_array(values).tolist() == values


@pytest.mark.parametrize("text", ["a\0", b"a\0"])
def test_zero_bytes_at_the_end_stay(text):
    assert as_array([text, text]).tolist() == [text, text]
    assert RaggedColumn.from_lists([[text]]).to_list() == [[text]]
    tower = Tower("user", 2, seed=1)
    tower.embedding.table.upsert([text], [[1.0, 2.0]])
    assert in_batches(tower, {"user": [text, "a"]}, ["user"]).tolist() == [[1.0, 2.0], [0.0, 0.0]]


@pytest.mark.parametrize("values", MIXED)
def test_text_beside_other_things_is_refused(values):
    assert as_array(values).dtype == object
    assert not is_text(as_array(values))
    model = TwoTower(user="u", item="i", user_features=["f"], embedding_dim=2, item_bias=True)
    model.index(["a"])
    for ask in (
        lambda: Interactions({"user": values, "item": ["x", "y"]}),
        lambda: as_text(values, "f", "here"),
        lambda: model.recommend({"u": values, "f": ["x", "y"]}),
        lambda: model.recommend({"u": ["x", "y"], "f": values}),
        lambda: model.recommend({"u": ["x"], "f": ["x"]}, exclude=[values]),
        lambda: model.candidate_vectors(values),
        lambda: model.index(values),
    ):
        with pytest.raises(ValueError, match=r"must (hold|be) .*\. Received: "):
            ask()
