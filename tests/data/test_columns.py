import numpy as np
import pytest

from recs.data import RaggedColumn
from recs.data.columns import as_column, check_ids, check_numbers


def test_columns_are_read_only_and_the_callers_array_is_not():
    mine = np.arange(3)
    column = as_column("n", mine, "test")
    with pytest.raises(ValueError, match=r"read-only"):
        column[0] = 9
    mine[0] = 9
    assert mine.tolist() == [9, 1, 2]


def test_numpy_strings_become_python_strings():
    column = as_column("s", np.array(["a", "bc"]), "test")
    assert column.dtype == object
    assert [type(entry) for entry in column] == [str, str]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            np.zeros((2, 2)),
            r"Column 'c' must have one dimension; .* Received: shape \(2, 2\) \(in t\)",
        ),
        (np.array(["a", None, "b", 3], dtype=object), "Received: NoneType, int in rows 1, 3"),
        (
            np.array([1], dtype="m8[s]"),
            r"must hold numbers, booleans or strings. Rec.*timedelta64\[s\]",
        ),
        (np.array([b"a"]), r"must hold numbers, booleans or strings"),
    ],
)
def test_other_columns_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        as_column("c", value, "t")


def test_ids_are_int64_or_strings():
    assert check_ids("i", np.array([1, 2], np.int32), "t").dtype == np.int64
    assert check_ids("i", np.array([2**62], np.uint64), "t").tolist() == [2**62]
    for wrong in (np.array([1.5]), np.array([2**63], np.uint64), RaggedColumn.from_lists([["a"]])):
        with pytest.raises(ValueError, match=r"Column 'i' must hold ids: strings, or integers"):
            check_ids("i", wrong, "t")


@pytest.mark.parametrize("bad", [1.5, np.nan, np.inf, 2.0**63])
def test_times_are_whole(bad):
    with pytest.raises(
        ValueError, match=r"must hold whole numbers .* in row 1 \(in t\).*milliseconds"
    ):
        check_numbers("t", np.array([1.0, bad]), np.int64, "t")
    assert check_numbers("t", np.array([1.0, -2.0]), np.int64, "t").tolist() == [1, -2]


def test_large_times_are_exact():
    times = np.array([2**53 + 1, -(2**63)])
    assert check_numbers("t", times, np.int64, "t").tolist() == times.tolist()


def test_ratings_are_finite_numbers():
    assert check_numbers("r", np.array([1, 2]), np.float32, "t").dtype == np.float32
    with pytest.raises(
        ValueError, match=r"Column 'r' must hold finite numbers. Received: nan in row 0"
    ):
        check_numbers("r", np.array([np.nan]), np.float32, "t")
    with pytest.raises(ValueError, match=r"must hold finite numbers. Received: strings"):
        check_numbers("r", np.array(["a"], dtype=object), np.float32, "t")
