"""Windows against a loop over every interaction, written from their definition."""

from __future__ import annotations

import numpy as np
import pytest

from recs.data import Interactions, sequences, splits


def a_log(rows=300, users=17, seed=0, strings=False, rated=True):
    rng = np.random.default_rng(seed)
    columns = {
        "user": rng.integers(-3, users, rows),
        "item": rng.integers(0, 40, rows),
        "timestamp": rng.integers(0, rows // 2, rows),  # many at the same time
    }
    if rated:
        columns["rating"] = rng.integers(1, 6, rows).astype("float32")
    log = Interactions(columns)
    return log.with_id_type("string") if strings else log


def rows_of(part):
    rating = np.zeros(len(part)) if part.rating is None else part.rating
    return list(zip(part.user, part.timestamp, part.item, rating, strict=True))


def by_hand(data, length, before=(), stride=1, min_length=1):
    """Returns row number -> history, by a loop over the users."""
    everything = [(row, None) for part in before for row in rows_of(part)]
    everything += [(row, number) for number, row in enumerate(rows_of(data))]
    found = {}
    for user in {row[0] for row, _ in everything}:
        # Of rows alike in all four, the one that came first is first.
        own = sorted((x for x in everything if x[0][0] == user), key=lambda x: x[0][1:])
        places = [place for place, (_, number) in enumerate(own) if number is not None]
        for place in places[::-1][::stride]:
            history = [row[2] for row, _ in own[:place]][-length:]
            if len(history) >= min_length:
                found[own[place][1]] = history
    return dict(sorted(found.items()))


@pytest.mark.parametrize("strings", [False, True])
@pytest.mark.parametrize("rated", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"length": 1},
        {"length": 3, "stride": 2},
        {"length": 4, "stride": 4, "min_length": 2},
        {"length": 500, "min_length": 0},
        {"length": 2, "min_length": 3},
    ],
)
def test_windows_are_what_the_user_did_before(strings, rated, options):
    log = a_log(strings=strings, rated=rated)
    want = by_hand(log, **{"length": 50, **options})
    got = sequences.windows(log, **options)
    assert got["history"].to_list() == list(want.values())
    for name in log:
        assert got[name].tolist() == log[name][list(want)].tolist()


def test_parts_before_stand_in_histories_and_have_no_rows():
    log = a_log()
    split = splits.leave_last_out(log, 2, validation_n=1)
    known = [split.train, split.validation]
    want = by_hand(split.test, 5, before=known, min_length=0)
    got = sequences.windows(split.test, 5, before=known, min_length=0)
    assert len(got) == len(split.test)
    assert got["history"].to_list() == list(want.values())


def test_a_split_by_the_last_leaks_nothing():
    # Every item is one of a kind, so that it can be seen where it goes.
    log = Interactions({"user": np.repeat([1, 2, 3], 20), "item": np.arange(60),
                        "timestamp": np.random.default_rng(1).permutation(60)})  # fmt: skip
    split = splits.leave_last_out(log, 2, validation_n=3)
    at = dict(zip(log.item.tolist(), log.timestamp.tolist(), strict=True))
    parts = {
        "train": sequences.windows(split.train, 50),
        "validation": sequences.windows(split.validation, 50, before=[split.train]),
        "test": sequences.windows(split.test, 50, before=[split.train, split.validation]),
    }
    held_out = {*split.validation.item.tolist(), *split.test.item.tolist()}
    assert not held_out & {i for h in parts["train"]["history"] for i in h}
    assert not set(split.test.item.tolist()) & {
        i for h in parts["validation"]["history"] for i in h
    }
    for part in parts.values():
        for item, history in zip(part.item.tolist(), part["history"], strict=True):
            times = [at[i] for i in history]
            assert times == sorted(times)
            assert times[-1] < at[item]
    # Nothing is lost either: all before the two that test, the first of the two being one more.
    assert sorted(len(h) for h in parts["test"]["history"]) == [18, 18, 18, 19, 19, 19]


def test_latest_is_the_history_of_what_comes_next():
    log = a_log(strings=True)
    train, test = splits.leave_last_out(log)
    rows = sequences.windows(test, 7, before=[train], min_length=0)
    asked = sequences.latest(train, rows.user, 7)
    assert asked.to_list() == rows["history"].to_list()
    assert sequences.latest([train, test], ["nobody", rows.user[0]], 3)[0] == []
    whole = sequences.latest([train, test], rows.user[:1], 3)[0]
    assert whole == [*asked[0], rows.item[0]][-3:]


def test_rows_without_a_past():
    none = Interactions({"user": np.zeros(0, np.int64), "item": np.zeros(0, np.int64),
                         "timestamp": np.zeros(0, np.int64)})  # fmt: skip
    assert len(sequences.windows(none)) == 0
    assert sequences.latest(none, [4]).to_list() == [[]]
    once = Interactions({"user": [1, 2], "item": [5, 6], "timestamp": [1, 1]})
    assert len(sequences.windows(once)) == 0
    rows = sequences.windows(once, min_length=0)
    assert rows["history"].to_list() == [[], []]
    batch = next(iter(rows.to_dataset(batch_size=2, pad={"history": 0})))
    assert batch["history"].shape == (2, 0)


def test_datasets_gather_windows_ragged_or_padded_and_shuffle_them_over_all_users():
    rows = sequences.windows(a_log(strings=True), 6)
    want = list(zip(rows["history"].to_list(), rows.item.tolist(), strict=True))

    def read(**options):
        pairs = []
        for batch in rows.to_dataset(["history", "item"], batch_size=32, **options):
            items = [i.decode() for i in batch["item"].numpy()]
            lists = batch["history"]
            lists = lists.to_list() if hasattr(lists, "to_list") else lists.numpy().tolist()
            pairs += zip([[i.decode() for i in one] for one in lists], items, strict=True)
        return pairs

    assert read() == want
    shuffled = read(shuffle=True, seed=3)
    assert shuffled != want
    assert sorted(shuffled) == sorted(want)
    assert shuffled == read(shuffle=True, seed=3)
    assert read(pad={"history": "-"}) == [(h + ["-"] * (6 - len(h)), i) for h, i in want]
    single = list(rows.to_dataset(["history"]))
    assert [one["history"].numpy().tolist() for one in single[:9]] == [
        [i.encode() for i in h] for h, _ in want[:9]
    ]
    spec = rows.to_dataset(["history"], batch_size=8, pad={"history": ""}).element_spec["history"]
    assert spec.shape.as_list() == [None, 6]


def test_columns_of_windows_are_taken_and_padded():
    column = sequences.windows(a_log(), 4)["history"]
    lists = column.to_list()
    assert column.take([3, 3, -1]).to_list() == [lists[3], lists[3], lists[-1]]
    assert column.take([3]).values is column.values
    assert column.to_ragged().to_list() == lists
    assert column[-1] == lists[-1]
    assert column.padded(-1).tolist() == [h + [-1] * (4 - len(h)) for h in lists]
    assert column.padded(-1, 2).tolist() == [[*h[-2:], -1][:2] for h in lists]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, r"`length` must be an integer of at least 1\. Received: length=0"),
        ({"stride": 1.5}, r"`stride` must be an integer of at least 1\. Received: stride=1\.5"),
        ({"min_length": -1}, r"`min_length` must be an integer of at least 0"),
        ({"column": "item"}, r"`column` must not be a column of the interactions"),
        ({"before": [a_log(strings=True)]}, r"Ids must be of one kind in all parts"),
        ({"before": [Interactions({"user": [1], "item": [1]})]}, r"must have a timestamp"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sequences.windows(a_log(), **options)


def test_only_lists_are_padded():
    with pytest.raises(ValueError, match=r"`pad` must name columns of lists.*Received: 'item'"):
        sequences.windows(a_log()).to_dataset(batch_size=2, pad={"item": 0})


def test_a_window_must_lie_within_the_values():
    from recs.data import WindowColumn

    for start, length in ((0, 4), (-1, 2), (2, -1)):
        with pytest.raises(ValueError, match="a stretch of the 3 values"):
            WindowColumn(np.arange(3), np.array([start]), np.array([length]))
