"""Samples of several domains: stacked, and in batches with shares."""

from __future__ import annotations

import numpy as np
import pytest

from recs.data import RaggedColumn, Samples, domain_batches, stack_domains


def test_what_a_domain_lacks_is_empty():
    rows = stack_domains({
        "a": {"id": [1, 2], "tags": RaggedColumn.from_lists([["x"], []]), "y": [1.0, 0.0]},
        "b": {"name": ["ann"], "z": [3.0]},
    }, column="kind")  # fmt: skip
    assert rows["kind"].tolist() == ["a", "a", "b"]
    assert rows["id"].tolist() == ["1", "2", ""]
    assert rows["tags"].to_list() == [["x"], [], []]
    assert rows["name"].tolist() == ["", "", "ann"]
    np.testing.assert_array_equal(rows["y"], [1.0, 0.0, np.nan])
    np.testing.assert_array_equal(rows["z"], [np.nan, np.nan, 3.0])
    same = stack_domains({"a": {"id": [1]}, "b": {"id": [2]}})
    assert same["id"].tolist() == [1, 2]


def test_a_small_domain_comes_as_often_as_it_is_told():
    rows = Samples({"domain": ["a"] * 20 + ["b"] * 2 + ["c"] * 5, "n": np.arange(27),
                    "tags": RaggedColumn.from_lists([[str(n)] for n in range(27)])})  # fmt: skip
    batches = list(domain_batches(rows, {"a": 1.0, "b": 3.0}, 8, steps=20))
    assert len(batches) == 20
    seen = np.concatenate([b["n"].numpy() for b in batches])
    names = np.asarray(rows["domain"])[seen]
    assert (names == "a").sum() == 20 * 2
    assert (names == "b").sum() == 20 * 6
    counts = np.bincount(seen, minlength=27)
    assert counts[:20].tolist() == [2] * 20  # each once before any comes again
    assert counts[20:22].tolist() == [60] * 2
    tags = batches[0]["tags"].to_list()
    assert [int(t[0]) for t in tags] == batches[0]["n"].numpy().tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stack_domains({}), "must be tables of one or more domains"),
        (lambda: stack_domains({"a": {"domain": [1]}}), "without a column 'domain'"),
        (
            lambda: stack_domains({"a": {"x": [1]}, "b": {"x": RaggedColumn.from_lists([[1]])}}),
            "must be lists in all domains",
        ),
        (
            lambda: domain_batches(Samples({"domain": ["a"]}), {"b": 1.0}, 2),
            "must be positive, of domains that have rows",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
