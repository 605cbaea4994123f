import numpy as np
import pytest

from recs.data import Interactions, by_user, read_user_items


@pytest.fixture
def write(tmp_path):
    def write(text):
        (tmp_path / "train.txt").write_text(text)
        return tmp_path / "train.txt"

    return write


def test_a_row_for_each_item_of_each_line(write):
    log = read_user_items(write("5 9 -3\n\n7\n  6 9 9 \n"), user="who", item="what")
    assert log.user.dtype == log.item.dtype == np.int64
    assert log["who"].tolist() == [5, 5, 6, 6]
    assert log["what"].tolist() == [9, -3, 9, 9]


def test_ids_as_text_stay_as_they_are(write):
    log = read_user_items(write("ann 007 7\n"), id_type="string")
    assert log.user.tolist() == ["ann", "ann"]
    assert log.item.tolist() == ["007", "7"]


@pytest.mark.parametrize("id_type", ["int64", "string"])
def test_no_lines_are_no_rows(write, id_type):
    log = read_user_items(write(""), id_type=id_type)
    assert len(log) == 0
    assert log.user.dtype == (np.int64 if id_type == "int64" else object)


def test_what_is_no_number_is_refused(write):
    with pytest.raises(ValueError, match=r"'x'.*row 1"):
        read_user_items(write("1 2 x\n"))
    with pytest.raises(FileNotFoundError, match="working directory"):
        read_user_items("nowhere.txt")


def test_users_with_all_their_items():
    log = Interactions({"user": ["b", "a", "b", "b"], "item": [3, 4, 1, 3], "at": [9, 8, 7, 6]})
    rows = by_user(log, "taken")
    assert rows.user.tolist() == ["a", "b"]
    assert rows["taken"].to_list() == [[4], [3, 1, 3]]
    assert rows["at"].tolist() == [8, 9]  # The rest is their first row's.
    assert len(by_user(log.take([]))) == 0
    in_time = Interactions({"user": [1, 1, 2], "item": [3, 4, 5], "timestamp": [9, 8, 7]})
    assert by_user(in_time)["items"].to_list() == [[4, 3], [5]]
    with pytest.raises(ValueError, match="`column`"):
        by_user(log, "at")
