"""What admission and eviction promise, of both tables."""

from __future__ import annotations

import numpy as np
import pytest

from recs.ops.admission_rule import AdmissionRule
from recs.ops.eviction_rule import EvictionRule
from recs.ops.reference import Batch
from recs.ops.row_initializer import CONSTANT, RowInitializer

ONES = RowInitializer(CONSTANT, 1.0)
SGD = ("sgd", (0.0, 0.0))
ADAGRAD = ("adagrad", (0.1, 1e-7))


def step(table, keys, gradient=None, rule=SGD, lr=1.0, time=0):
    looked = table.find_or_insert(Batch(keys), time=time)
    if gradient is None:
        gradient = np.zeros((len(keys), 2))
    table.add_gradient(looked, np.asarray(gradient, np.float32))
    return table.commit(*rule, learning_rate=lr, step=int(table.stats()["step"]))


def there(table, keys):
    return table.find(Batch(keys))[1].tolist()


def minimum(make, count=3, **arguments):
    admission = AdmissionRule("minimum_count", count=count)
    return make(initializer=ONES, default_value=0.25, admission=admission, **arguments)


def test_a_key_is_admitted_at_its_nth_occurrence(make, keys):
    table = minimum(make)
    a, b, c = keys(0, 1, 2)
    first = table.find_or_insert(Batch([a, b, a, c]))
    np.testing.assert_array_equal(first.output, np.full((4, 2), 0.25))
    assert table.stats()["waiting"] == 3
    assert table.stats()["not_admitted"] == 3
    second = table.find_or_insert(Batch([a, b]))
    np.testing.assert_array_equal(second.output, [[1, 1], [0.25, 0.25]])
    table.find_or_insert(Batch([c, c, c, c, c]))
    assert there(table, [a, b, c]) == [True, False, True]
    assert table.stats()["waiting"] == 1
    assert table.stats()["insertions"] == 2


def test_neither_masked_positions_nor_inference_count(make, keys):
    table = minimum(make, count=2)
    table.find_or_insert(Batch(keys(0, 0, 1), mask=np.array([True, False, False])))
    table.find(Batch(keys(0, 0, 0)))
    assert table.size() == 0
    assert table.stats()["waiting"] == 1
    table.find_or_insert(Batch(keys(0, 1)))
    assert there(table, keys(0, 1)) == [True, False]


def test_keys_of_the_table_are_never_asked(make, keys):
    table = minimum(make, count=2**32 - 1)
    table.upsert(keys(0), [[3, 4]])
    np.testing.assert_array_equal(table.find_or_insert(Batch(keys(0))).output, [[3, 4]])
    assert table.stats()["not_admitted"] == 0


def test_keys_without_a_row_have_no_update_and_no_part_in_the_norm(make, keys, key):
    table = minimum(make, count=2)
    looked = table.find_or_insert(Batch(keys(0, 1, 1, 2)))
    gradient = np.array([[30, 40], [3, 0], [0, 4], [np.nan, 0]], np.float32)
    table.add_gradient(looked, gradient)
    assert table.commit(*SGD, learning_rate=1.0, step=0, clipnorm=1.0) == 1
    np.testing.assert_allclose(table.find(Batch(keys(1)))[0], [[0.4, 0.2]], rtol=1e-6)
    stats = table.stats()
    assert stats["stale_updates"] == stats["refused_updates"] == 0
    # What it counts for the next step is no gradient.
    assert step(table, keys(0), [[1, 1]]) == 1
    np.testing.assert_array_equal(table.find(Batch(keys(0)))[0], [[0, 0]])


def test_bags_take_the_default_of_a_key_without_a_row(make, keys):
    table = minimum(make, count=2)
    batch = Batch(keys(0, 0, 1), splits=np.array([0, 3]), combiner="mean")
    np.testing.assert_allclose(table.find_or_insert(batch).output, [[0.75, 0.75]], rtol=1e-6)
    weighted = Batch(
        keys(0, 2), splits=np.array([0, 2]), weights=np.array([2, 4], np.float32), combiner="sum"
    )
    looked = table.find_or_insert(weighted)
    np.testing.assert_array_equal(looked.output, [[3, 3]])
    _, weights_gradient = table.add_gradient(looked, np.ones((1, 2), np.float32))
    np.testing.assert_array_equal(weights_gradient, [2, 0.5])


def test_what_is_removed_or_cleared_is_not_counted_any_more(make, keys):
    table = minimum(make, count=2)
    table.find_or_insert(Batch(keys(0, 1)))
    assert table.remove(keys(0)) == 0
    table.find_or_insert(Batch(keys(0)))
    assert table.size() == 0
    table.clear()
    assert table.stats()["waiting"] == 0


def test_an_evicted_key_earns_its_place_again(make, keys):
    table = minimum(make, count=2, eviction=EvictionRule(steps_to_live=1))
    step(table, keys(0, 0, 1, 1))
    step(table, keys(0))
    assert there(table, keys(0, 1)) == [True, False]
    step(table, keys(0, 1))
    assert there(table, keys(0, 1)) == [True, False]
    step(table, keys(0, 1))
    assert there(table, keys(0, 1)) == [True, True]


def test_chance_admits_as_often_as_it_says_in_every_step(make, kind):
    table = make(admission=AdmissionRule("probability", rate=0.3))
    many = list(range(3000)) if kind == "int64" else [b"%d" % i for i in range(3000)]
    step(table, many)
    once = table.size()
    assert abs(once - 900) < 5 * (3000 * 0.3 * 0.7) ** 0.5
    step(table, [k for k in many if not there(table, [k])[0]])
    assert abs(table.size() - once - 0.3 * (3000 - once)) < 5 * (2100 * 0.3 * 0.7) ** 0.5


def test_what_waits_is_saved(make, keys):
    table, other = minimum(make), minimum(make)
    table.find_or_insert(Batch(keys(0, 0, *range(5, 25))))
    other.find_or_insert(Batch(keys(1, 1)))
    other.deserialize(table.serialize())
    other.find_or_insert(Batch(keys(0, 1, 5, 5)))
    assert there(other, keys(0, 1, 5, 6)) == [True, False, True, False]
    assert other.stats()["waiting"] == 20


def test_rows_live_for_whole_steps_without_them(make, keys):
    table = make(eviction=EvictionRule(steps_to_live=2))
    step(table, keys(0, 1))
    step(table, keys(0))
    assert there(table, keys(0, 1)) == [True, True]
    step(table, keys(0))
    assert there(table, keys(0, 1)) == [True, False]
    stats = table.stats()
    assert (stats["evictions"], stats["removals"], stats["stale_updates"]) == (1, 1, 0)
    assert table.evicted_keys() == keys(1)
    assert table.evicted_keys() == []


def test_an_evicted_key_starts_afresh(make, keys, key):
    table, fresh = (make(initializer=ONES, eviction=EvictionRule(steps_to_live=1)) for _ in "ab")
    step(table, keys(0), [[5, 5]], ADAGRAD, 0.1)
    step(table, keys(1), [[5, 5]], ADAGRAD, 0.1)
    assert there(table, keys(0)) == [False]
    for one in (table, fresh):
        step(one, keys(0), [[1, 2]], ADAGRAD, 0.1)
    np.testing.assert_array_equal(table.find(Batch(keys(0)))[0], fresh.find(Batch(keys(0)))[0])


def test_rows_live_for_seconds_of_the_events(make, keys):
    table = make(eviction=EvictionRule(seconds_to_live=100))
    step(table, keys(0), time=1_000_000)
    step(table, keys(1), time=1_000_100)
    step(table, keys(1), time=1_000_100)
    assert there(table, keys(0, 1)) == [True, True]
    step(table, keys(1), time=999_000)  # late, and does not age its row
    step(table, keys(2), time=1_000_101)
    assert there(table, keys(0, 1, 2)) == [True, True, True]
    step(table, keys(2), time=1_000_101)  # what two steps say is the time
    assert there(table, keys(0, 1, 2)) == [False, True, True]


def test_one_time_of_the_future_makes_no_row_older(make, keys):
    table = make(eviction=EvictionRule(seconds_to_live=100))
    for at, key in enumerate((0, 1, 2, 0, 1, 2)):
        step(table, keys(key), time=1_000_000 + at + (10**6 if at in (0, 3) else 0))
        assert all(there(table, keys(*range(min(at, 2) + 1))))


def test_rows_set_by_hand_begin_to_live_then(make, keys):
    rule = EvictionRule(seconds_to_live=100, steps_to_live=2)
    table = make(eviction=rule)
    table.upsert(keys(0), [[1, 1]])  # before the table knows any time
    step(table, keys(1), time=1_000_000)
    assert there(table, keys(0, 1)) == [True, True]
    step(table, keys(1), time=1_000_099)
    table.upsert(keys(0), [[1, 1]])
    step(table, keys(1), time=1_000_150)
    step(table, keys(1), time=1_000_150)
    assert there(table, keys(0, 1)) == [True, True]  # set again in the third step
    step(table, keys(1), time=1_000_150)
    assert there(table, keys(0, 1)) == [False, True]


def test_small_rows_go_once_they_rest(make, keys):
    table = make(eviction=EvictionRule(minimum_norm=5.0, minimum_norm_steps=1))
    table.upsert(keys(0, 1), [[3, 3.9], [3, 4]])  # norms 4.92 and 5
    step(table, keys(2))
    assert there(table, keys(0, 1, 2)) == [True, True, True]
    step(table, keys(2))
    assert there(table, keys(0, 1, 2)) == [False, True, True]


def test_the_least_recent_row_makes_room(make, keys):
    table = make(eviction=EvictionRule(max_rows=3))
    for batch in (keys(0, 1), keys(2), keys(0), keys(3)):
        step(table, batch)
        assert table.size() <= 3
    assert there(table, keys(0, 1, 2, 3)) == [True, False, True, True]
    step(table, keys(4, 5))
    assert there(table, keys(0, 2, 3, 4, 5)) == [False, False, True, True, True]
    assert sorted(table.evicted_keys()) == sorted(keys(1, 0, 2))


def test_the_least_frequent_row_makes_room(make, keys):
    table = make(eviction=EvictionRule(max_rows=3, victims="least_frequent"))
    for batch in (keys(0, 0, 0, 1, 1), keys(2), keys(3), keys(4)):
        step(table, batch)
    assert there(table, keys(0, 1, 2, 3, 4)) == [True, True, False, False, True]


def test_rows_of_the_look_up_stay_for_it(make, keys):
    table = make(eviction=EvictionRule(max_rows=3))
    step(table, keys(0, 1, 2))
    step(table, keys(1))
    assert step(table, keys(0, 2, 5)) == 3  # 1 is more recent than 0 and 2 were before
    assert there(table, keys(0, 1, 2, 5)) == [True, False, True, True]


def test_more_ids_in_a_step_than_the_bound(make, keys):
    table = make(initializer=ONES, eviction=EvictionRule(max_rows=3))
    every = keys(*range(9))
    looked = table.find_or_insert(Batch(every))
    np.testing.assert_array_equal(looked.output, np.ones((9, 2)))
    table.add_gradient(looked, np.ones((9, 2), np.float32))
    assert table.commit(*SGD, learning_rate=1.0, step=0) == 3
    assert table.size() == 3
    assert table.stats()["stale_updates"] == 6


def test_rows_set_by_hand_keep_the_bound(make, keys):
    table = make(eviction=EvictionRule(max_rows=4))
    table.upsert(keys(*range(10)), np.ones((10, 2)))
    assert table.size() == 4
    table.upsert(keys(*range(4)), np.ones((4, 2)))
    assert all(there(table, keys(*range(4))))


def test_evicting_by_another_rule_happens_once(make, keys):
    table = make()
    step(table, keys(0, 1, 2, 3))
    step(table, keys(1, 2))
    step(table, keys(2))
    assert table.evict() == 0
    assert table.evict(EvictionRule(max_rows=2)) == 2
    assert there(table, keys(0, 1, 2, 3)) == [False, True, True, False]
    step(table, keys(5, 6, 7))
    assert table.size() == 5
    assert table.evict(EvictionRule(steps_to_live=2)) == 1
    assert sorted(table.evicted_keys()) == sorted(keys(0, 3, 1))


@pytest.mark.parametrize("count", [1, 2])
def test_without_policies_nothing_goes(make, keys, count):
    table = make(eviction=EvictionRule(), admission=AdmissionRule())
    for _ in range(count):
        step(table, keys(*range(9)))
    assert table.size() == 9
    assert table.stats()["evictions"] == table.stats()["not_admitted"] == 0
