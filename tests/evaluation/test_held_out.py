from __future__ import annotations

import numpy as np
import pytest

from recs.data import Interactions, Items
from recs.evaluation import HeldOut

TRAIN = Interactions({"user": ["b", "a", "a"], "item": ["x", "y", "y"]})


def test_users_need_training_and_new_held_out_items():
    test = Interactions({"user": ["a", "a", "b", "z"], "item": ["y", "x", "x", "x"]})
    held_out = HeldOut.of(TRAIN, test)
    # "b" holds out only what they have, "z" is unknown.
    assert held_out.users.tolist() == ["a"]
    assert held_out.unknown_users == 1
    assert held_out.relevant.tolist() == [[0, 0]]
    assert held_out.seen.tolist() == [[0, 1]]


def test_the_items_table_is_the_catalogue_and_unknown_items_count():
    items = Items({"item": ["z", "y", "x"]})
    train = Interactions(dict(TRAIN), items=items)
    test = Interactions({"user": ["a", "a", "a"], "item": ["z", "x", "z"]})
    held_out = HeldOut.of(train, test)
    assert held_out.catalogue.tolist() == ["z", "y", "x"]
    assert held_out.relevant.tolist() == [[0, 0], [0, 2]]
    assert held_out.unknown_items == 1


def test_what_lies_between_training_and_test_is_seen_too():
    test = Interactions({"user": ["a"], "item": ["x"]})
    between = Interactions({"user": ["a", "b"], "item": ["w", "y"]})
    held_out = HeldOut.of(TRAIN, test, also_seen=[between])
    assert held_out.catalogue.tolist() == ["w", "x", "y"]
    assert held_out.seen.tolist() == [[0, 0], [0, 2]]


def test_nothing_to_judge_by_is_an_error():
    with pytest.raises(ValueError, match=r"must have a user who is in training.*1 users unknown"):
        HeldOut.of(TRAIN, Interactions({"user": ["z"], "item": ["x"]}))


def test_an_item_outside_the_catalogue_is_an_error():
    test = Interactions({"user": ["a"], "item": ["q"]})
    with pytest.raises(ValueError, match=r"in the catalogue of 2 items\. Received: 'q'"):
        HeldOut.of(TRAIN, test, np.array(["x", "y"], object))


@pytest.mark.parametrize(
    ("catalogue", "received"),
    [
        (["x", "y", "x", "x"], "2 repetitions, such as of 'x'"),
        ([["x"], ["y"]], r"shape \(2, 1\)"),
    ],
)
def test_a_catalogue_has_each_item_once(catalogue, received):
    test = Interactions({"user": ["a"], "item": ["x"]})
    with pytest.raises(ValueError, match=rf"ids, each once\. Received: {received}"):
        HeldOut.of(TRAIN, test, np.array(catalogue, object))
