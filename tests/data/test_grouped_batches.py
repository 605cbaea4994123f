"""Batches in which rows of a group come together."""

from __future__ import annotations

import numpy as np
import pytest

from recs.data import Samples


@pytest.fixture
def samples(rng):
    return Samples({"user": rng.integers(0, 9, 200).astype(str).astype(object),
                    "row": np.arange(200)})  # fmt: skip


def order(dataset):
    return np.concatenate([batch["row"] for batch in dataset.as_numpy_iterator()])


def test_every_row_comes_once_in_runs_of_its_group(samples):
    data = samples.to_dataset(batch_size=32, shuffle=True, seed=3, group_by="user", group_size=4)
    assert int(data.cardinality()) == 7
    first, second = order(data), order(data)
    for rows in (first, second):
        assert sorted(rows.tolist()) == list(range(200))
        users = samples["user"][rows]
        runs = 1 + int((users[1:] != users[:-1]).sum())
        counts = np.unique(users, return_counts=True)[1]
        assert runs <= int((-(-counts // 4)).sum())
        assert runs > 35  # of all users, not one after the other
    assert first.tolist() != second.tolist()
    again = samples.to_dataset(batch_size=32, shuffle=True, seed=3, group_by="user", group_size=4)
    assert order(again).tolist() == first.tolist()


def test_whole_batches_only_and_one_order(samples):
    data = samples.to_dataset(
        batch_size=64, shuffle=True, group_by="user", drop_remainder=True,
        reshuffle_each_iteration=False,
    )  # fmt: skip
    first = order(data)
    assert len(first) == 192
    assert order(data).tolist() == first.tolist()


@pytest.mark.parametrize("arguments", [{}, {"shuffle": True, "group_size": 0}])
def test_what_cannot_be_is_refused(samples, arguments):
    with pytest.raises(ValueError, match="`group_by` must come with `shuffle=True` and a positive"):
        samples.to_dataset(batch_size=2, group_by="user", **arguments)
