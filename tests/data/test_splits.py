import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recs.data import Interactions
from recs.data.splits import at_random, by_time, leave_last_out

# Few users, items and times, so that ties are the rule; distinct, so that order cannot matter.
rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 4)), max_size=25, unique=True
)
fractions = st.floats(0, 0.45)
quick = settings(deadline=None, max_examples=60)


def table(listed):
    user, item, timestamp = zip(*listed, strict=True) if listed else ((), (), ())
    columns = {"user": user, "item": item, "timestamp": timestamp}
    return Interactions({name: np.array(c, dtype=np.int64) for name, c in columns.items()})


def listed(part):
    triples = zip(part.user, part.item, part.timestamp, strict=True)
    return [tuple(map(int, triple)) for triple in triples]


def parts(split):
    return [listed(split.train), listed(split.validation), listed(split.test)]


WAYS = [
    lambda data: by_time(data, 0.3, validation_fraction=0.2),
    lambda data: at_random(data, 0.3, seed=5, validation_fraction=0.2),
    lambda data: leave_last_out(data, 2, validation_n=1),
]


@pytest.mark.parametrize("way", WAYS)
@quick
@given(rows=rows, random=st.randoms(use_true_random=False))
def test_disjoint_complete_and_independent_of_the_order(way, rows, random):
    split = parts(way(table(rows)))
    assert sorted(row for part in split for row in part) == sorted(rows)
    for part in split:  # What stays in a part stays in its order.
        assert part == [row for row in rows if row in part]
    shuffled = random.sample(rows, len(rows))
    assert [sorted(part) for part in parts(way(table(shuffled)))] == [sorted(p) for p in split]


@quick
@given(rows, fractions, fractions)
def test_by_time_the_past_trains(rows, test, validation):
    split = by_time(table(rows), test, validation_fraction=validation)
    train, middle, last = parts(split)
    assert len(last) == round(len(rows) * test)
    assert len(middle) == min(round(len(rows) * validation), len(rows) - len(last))
    by_hand = sorted(rows, key=lambda row: (row[2], row[0], row[1]))
    assert sorted(last) == sorted(by_hand[len(by_hand) - len(last) :])
    assert sorted(train) == sorted(by_hand[: len(train)])


@quick
@given(rows, st.integers(1, 3), st.integers(0, 2))
def test_leave_last_out_user_by_user(rows, n, validation_n):
    train, middle, last = parts(leave_last_out(table(rows), n, validation_n=validation_n))
    for user in range(4):
        own = sorted((r for r in rows if r[0] == user), key=lambda r: (r[2], r[1]))
        if len(own) <= n + validation_n:
            expected = [own, [], []]
        else:
            end = len(own) - n
            expected = [own[: end - validation_n], own[end - validation_n : end], own[end:]]
        got = [[r for r in part if r[0] == user] for part in (train, middle, last)]
        assert [sorted(p) for p in got] == [sorted(p) for p in expected]


def test_random_parts_are_reproducible_and_fair(log):
    many = table([(u, i, 0) for u in range(100) for i in range(100)])
    train, test = at_random(many, 0.2, seed=1)
    assert listed(at_random(many, 0.2, seed=1).test) == listed(test)
    assert listed(at_random(many, 0.2, seed=2).test) != listed(test)
    assert (len(train), len(test)) == (8000, 2000)
    # Each user has 100 rows; the number in test has mean 20 and standard deviation 4.
    assert 5 < np.bincount(test.user).min() <= np.bincount(test.user).max() < 37
    # No timestamp is needed.
    untimed = Interactions({"user": log.user, "item": log.item})
    assert len(at_random(untimed, 0.25).test) == 3


def test_the_random_split_stays_the_same_from_release_to_release():
    test = at_random(table([(0, i, i) for i in range(10)]), 0.3, seed=0).test
    assert test.item.tolist() == [0, 3, 5]  # RandomState(0).permutation(10) ends in 3, 0, 5.


def test_all_columns_and_items_follow(log):
    split = by_time(log, 0.25)
    assert sorted([*split.train["row"], *split.test["row"]]) == list(range(12))
    assert len(split.validation) == 0
    train, test = split
    assert train is split.train
    assert test is split.test
    assert (test.timestamp == [9, 9, 9]).all()


def test_strings_and_integers_split_alike(log):
    number = {"a": 0, "b": 1, "c": 2, "x": 7, "y": 8, "z": 9}
    ids = {name: [number[i] for i in log[name]] for name in ("user", "item")}
    other = Interactions({**log, **ids})
    for way in WAYS:
        assert way(log).test["row"].tolist() == way(other).test["row"].tolist()


@pytest.mark.parametrize(("test", "validation"), [(1.0, 0), (-0.1, 0), (0.5, 0.5), (0.2, -0.1)])
@pytest.mark.parametrize("way", [by_time, at_random])
def test_fractions_out_of_range(log, way, test, validation):
    message = r"must each lie in \[0, 1\) and leave something to train on"
    with pytest.raises(ValueError, match=message) as caught:
        way(log, test, validation_fraction=validation)
    assert f"test_fraction={test}, validation_fraction={validation}" in str(caught.value)


def test_other_errors(log):
    untimed = Interactions({"user": [1], "item": [2]})
    for way in (lambda: by_time(untimed, 0.1), lambda: leave_last_out(untimed)):
        with pytest.raises(
            ValueError, match=r"must have a timestamp to be split by time"
        ) as caught:
            way()
        assert "Received: roles={'user': 'user', 'item': 'item'}" in str(caught.value)
        assert "splits.at_random" in str(caught.value)
    for n, validation_n in ((0, 0), (1, -1)):
        with pytest.raises(ValueError, match=f"Received: n={n}, validation_n={validation_n}"):
            leave_last_out(log, n, validation_n=validation_n)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_splits_into_nothing(way):
    assert parts(way(table([]))) == [[], [], []]
