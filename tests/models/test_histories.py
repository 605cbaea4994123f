"""Histories are lists of ids of the model's kind; nothing is converted that changes an id."""

from __future__ import annotations

import numpy as np
import pytest

from recs.data import RaggedColumn
from recs.models.histories import as_column


@pytest.mark.parametrize(
    ("histories", "id_dtype", "expected"),
    [
        ([["a", "b"], []], "string", [["a", "b"], []]),
        ([[b"a"]], "string", [[b"a"]]),
        ([np.array(["a"])], "string", [["a"]]),
        ([[1, 2], [3]], "int64", [[1, 2], [3]]),
        ([np.array([1], "uint8")], "int64", [[1]]),
        ([], "int64", []),
        ([[]], "string", [[]]),
        ({"history": [["a"]]}, "string", [["a"]]),
    ],
)
def test_lists_of_ids(histories, id_dtype, expected):
    column = as_column(histories, "history", id_dtype, "model")
    assert column.to_list() == expected
    assert column.values.dtype == (object if id_dtype == "string" else np.int64)


@pytest.mark.parametrize(
    ("histories", "id_dtype", "message"),
    [
        ([[1.5]], "int64", "must hold integers that fit int64, .* Received: .*1.5"),
        ([[True]], "int64", "Received: .*True"),
        ([np.array([2**63], "uint64")], "int64", "Received: .*of type uint64"),
        ([["a"]], "int64", "Received: 'a'"),
        ([[1, "a"]], "string", "Received: 1 of type int"),
        ([["a", None]], "string", "must hold strings"),
        ([[1]], "string", "must hold strings, as `id_dtype='string'` says. Received: .*1"),
        ([[1.5]], "string", "Received: .*1.5"),
        ([[np.datetime64("2026-01-01")]], "int64", "must hold integers"),
        (["abc"], "string", r"must be a list. Received: 'abc' .* Write `\['abc'\]`"),
        ([5], "int64", r"must be a list. Received: 5 .* Write `\[5\]`"),
        ("abc", "string", "must be a list"),
        ({"items": [["a"]]}, "string", "must have the column 'history'. Received: items"),
    ],
)
def test_what_is_no_list_of_ids_is_refused(histories, id_dtype, message):
    with pytest.raises(ValueError, match=message):
        as_column(histories, "history", id_dtype, "model")


@pytest.mark.parametrize("rows", [["ab"], [b"ab"], [1], [["a"], "b"]])
def test_a_row_of_a_ragged_column_is_a_list(rows):
    with pytest.raises(ValueError, match=r"Each row of `rows` must be a list"):
        RaggedColumn.from_lists(rows)
