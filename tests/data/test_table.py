import numpy as np
import pytest

from recs.data import Interactions, RaggedColumn
from recs.data.items import Items

DATA = {"u": ["a", "b", "a"], "i": [1, 2, 3], "tags": RaggedColumn.from_lists([["x"], [], ["y"]])}
ROLES = {"user": "u", "item": "i"}


def test_it_is_like_a_dict_of_columns():
    table = Interactions(DATA, ROLES)
    assert len(table) == 3
    assert table.keys() == list(table) == ["u", "i", "tags"]
    assert "u" in table
    assert "user" not in table
    assert table["u"] is table.user
    assert dict(table)["tags"].to_list() == [["x"], [], ["y"]]
    assert repr(table) == "Interactions(3 rows: u (user), i (item), tags)"


def test_roles_default_to_columns_of_the_same_name():
    table = Interactions({"user": [1], "item": [2], "rating": [3], "x": [4]})
    assert dict(table.roles) == {"user": "user", "item": "item", "rating": "rating"}


@pytest.mark.parametrize(
    "rows",
    [
        [2, 0, 0],
        [-1],
        [],
        slice(1, None),
        slice(None, None, -1),
        [True, False, True],
        np.array([False] * 3),
        np.uint8([1]),
    ],
)
def test_take_agrees_with_numpy(rows):
    taken = Interactions(DATA, ROLES).take(rows)
    index = np.arange(3)[np.array(rows, dtype=int) if isinstance(rows, list) and not rows else rows]
    assert taken.user.tolist() == [DATA["u"][i] for i in index]
    assert taken.item.tolist() == [DATA["i"][i] for i in index]
    assert taken["tags"].to_list() == [DATA["tags"][i] for i in index]
    assert dict(taken.roles) == ROLES


def test_what_is_taken_is_read_only_too():
    taken = Interactions(DATA, ROLES).take([0])
    with pytest.raises(ValueError, match=r"read-only"):
        taken.item[0] = 5


def test_take_refuses_what_is_not_rows():
    table = Interactions(DATA, ROLES)
    with pytest.raises(
        ValueError, match=r"The mask must have an entry for each of the 3 rows. Rec.*\(2,\)"
    ):
        table.take([True, False])
    with pytest.raises(
        ValueError, match=r"`rows` must be a slice, a boolean mask or whole row numbers"
    ):
        table.take([0.5])
    with pytest.raises(IndexError):
        table.take([3])


def test_a_column_that_is_not_there():
    with pytest.raises(KeyError, match=r"The column must be one of u, i, tags. Received: 'v'"):
        Interactions(DATA, ROLES)["v"]


@pytest.mark.parametrize(
    ("roles", "received"),
    [
        ({"user": "u"}, "{'user': 'u'}"),
        ({"user": "u", "item": "j"}, "{'user': 'u', 'item': 'j'}"),
        ({"user": "u", "item": "u"}, "{'user': 'u', 'item': 'u'}"),
        (
            {"user": "u", "item": "i", "title": "tags"},
            "{'user': 'u', 'item': 'i', 'title': 'tags'}",
        ),
    ],
)
def test_roles_that_do_not_fit(roles, received):
    with pytest.raises(ValueError, match=r"`roles` must give each role") as caught:
        Interactions(DATA, roles)
    assert f"one of u, i, tags. Received: roles={received} (in Interactions)" in str(caught.value)


def test_columns_of_different_lengths():
    with pytest.raises(
        ValueError, match=r"All columns must have the same number of rows"
    ) as caught:
        Interactions({"user": [1, 2], "item": [1]})
    assert "{'user': 2, 'item': 1}" in str(caught.value)


def test_id_type_converts_and_refuses():
    table = Interactions({"user": ["1", "-2"], "item": [3, 4]})
    numbers = table.with_id_type("int64")
    assert numbers.user.tolist() == [1, -2]
    assert numbers.with_id_type("string").item.tolist() == ["3", "4"]
    with pytest.raises(
        ValueError, match=r'`id_type` must be "string" or "int64". Received: id_type=\'int\''
    ):
        table.with_id_type("int")


def test_id_type_reaches_the_items():
    items = Items({"item": [3, 4], "title": ["x", "y"]})
    table = Interactions({"user": ["1"], "item": [4]}, items=items).with_id_type("string")
    assert table.items.item.tolist() == ["3", "4"]
    assert table.with_item_features()["title"].tolist() == ["y"]
