import numpy as np
import pytest

from recs.data import RaggedColumn

ROWS = [["a"], [], ["b", "c", "d"], ["e"]]


def test_lists_come_back_as_they_went_in():
    column = RaggedColumn.from_lists(ROWS)
    assert column.to_list() == ROWS
    assert len(column) == 4
    assert column[-2] == ["b", "c", "d"]
    with pytest.raises(IndexError):
        column[4]


@pytest.mark.parametrize("indices", [[], [2], [3, 0, 0, 2, 1], [-1, -4]])
def test_take_is_list_indexing(indices):
    column = RaggedColumn.from_lists(ROWS)
    assert column.take(indices).to_list() == [ROWS[i] for i in indices]


def test_take_of_a_take_and_of_nothing():
    column = RaggedColumn.from_lists(ROWS).take([2, 1, 0])
    assert column.take([2, 0]).to_list() == [["a"], ["b", "c", "d"]]
    assert RaggedColumn.from_lists([]).take([]).to_list() == []


def test_tensor_has_the_same_rows():
    strings = RaggedColumn.from_lists(ROWS).to_tensor()
    assert strings.to_list() == [[text.encode() for text in row] for row in ROWS]
    numbers = RaggedColumn.from_lists([[1, 2], [], [3]]).to_tensor()
    assert numbers.dtype == "int64"
    assert numbers.to_list() == [[1, 2], [], [3]]


@pytest.mark.parametrize("splits", [[0, 2], [1, 3], [0, 3, 2, 3], [], [[0, 3]]])
def test_splits_that_do_not_fit_are_refused(splits):
    with pytest.raises(
        ValueError, match=r"`row_splits` must rise from 0 to the number of values, 3"
    ):
        RaggedColumn(np.array(["a", "b", "c"], dtype=object), np.array(splits))
