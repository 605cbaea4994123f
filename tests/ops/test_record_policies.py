"""What policies do to a record table, of the compiled one and of the reference."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.eviction import LeastRecentlyUsed, MinimumNorm, SecondsToLive
from recs.ops.admission_rule import AdmissionRule
from recs.ops.eviction_rule import EvictionRule
from recs.ops.record_table import RecordTable
from recs.ops.reference import ReferenceRecords
from tests.ops.conftest import key_of

ADMISSIONS = {
    "all": None,
    "count": AdmissionRule("minimum_count", count=3),
    "chance": AdmissionRule("probability", rate=0.3),
}
EVICTIONS = {
    "none": None,
    "steps": EvictionRule(steps_to_live=3),
    "seconds": EvictionRule(seconds_to_live=5000),
    "least recent": EvictionRule(max_rows=20),
    "least frequent": EvictionRule(max_rows=20, victims="least_frequent", steps_to_live=6),
}


class Compiled(RecordTable):
    """The compiled table under the interface of the reference."""

    def append(self, keys, records, times, mask=None):
        super().append(self._tensor(keys), np.asarray(records, np.float32), times, mask)

    def recent(self, keys, mask=None):
        return tuple(x.numpy() for x in super().recent(self._tensor(keys), mask))

    def remove(self, keys):
        return super().remove(self._tensor(keys))

    def _tensor(self, keys):
        return tf.constant(list(keys), self.key_dtype, shape=[len(keys)])


@pytest.fixture(params=["reference", "compiled"])
def make(request, kind):
    def table(capacity=3, **policies):
        if request.param == "reference":
            return ReferenceRecords(1, capacity, **policies)
        return Compiled(1, capacity, kind, **policies)

    return table


def add(table, keys, *, at=1):
    """Appends a record to each key, numbered from 1, of the time `at`, one or one each."""
    count = len(keys)
    table.append(keys, np.arange(1.0, count + 1)[:, None], np.broadcast_to(at, count))


def held(table, keys) -> list[list[float]]:
    found, lengths, _ = table.recent(keys)
    return [r[:n, 0].tolist() for r, n in zip(found, lengths, strict=True)]


def test_records_of_a_key_that_is_not_admitted_are_dropped_and_count(make, keys):
    table = make(admission=AdmissionRule("minimum_count", count=3))
    a, b = keys(0, 1)
    add(table, [a, a, b])
    assert held(table, [a, b]) == [[], []]
    stats = table.stats()
    assert (stats["rows"], stats["not_admitted"], stats["waiting"]) == (0, 2, 2)
    # The append that admits a key keeps all that it brings of it.
    add(table, [a, b, a])
    assert held(table, [a, b]) == [[1, 3], []]
    stats = table.stats()
    assert (stats["rows"], stats["not_admitted"], stats["waiting"]) == (1, 3, 1)
    add(table, [b, a])
    assert held(table, [a, b]) == [[1, 3, 2], [1]]
    assert table.stats()["waiting"] == 0


def test_masked_records_count_for_nothing(make, keys):
    table = make(admission=AdmissionRule("minimum_count", count=2))
    (a,) = keys(0)
    table.append([a, a], [[1.0], [2.0]], [1, 1], mask=np.array([True, False]))
    assert table.stats()["step"] == 1
    table.append([a], [[3.0]], [1], mask=np.array([False]))
    assert table.stats()["step"] == 1
    add(table, [a])
    assert held(table, [a]) == [[1]]


def test_chance_draws_anew_with_every_append(make, kind):
    table = make(admission=AdmissionRule("probability", rate=0.5))
    every = [key_of(kind, i) for i in range(200)]
    sizes = []
    for _ in range(3):
        add(table, every)
        sizes.append(table.stats()["rows"])
    assert 70 < sizes[0] < 130
    assert 120 < sizes[1] < 180
    assert sizes[2] > sizes[1]


def test_keys_live_for_seconds_of_their_own_events(make, keys):
    table = make(eviction=EvictionRule(seconds_to_live=100))
    a, b, c = keys(0, 1, 2)
    # In one append, the newest record of each key is what counts, in whatever order they come.
    add(table, [a, b, a, b], at=[1000, 940, 950, 900])
    add(table, [c], at=1045)
    assert held(table, [a, b, c]) == [[1, 3], [2, 4], [1]]
    add(table, [c], at=1045)  # what two appends say is the time
    assert held(table, [a, b, c]) == [[1, 3], [], [1, 1]]
    assert list(table.evicted_keys()) == [b]
    add(table, [a], at=900)  # a late event makes nobody older
    assert held(table, [a]) == [[1, 3, 1]]
    for _ in range(2):
        add(table, [b], at=1101)
    assert held(table, [a, b, c]) == [[], [1, 1], [1, 1]]
    assert list(table.evicted_keys()) == [a]
    assert table.stats()["evictions"] == 2


def test_keys_live_for_appends_without_them(make, keys):
    table = make(eviction=EvictionRule(steps_to_live=2))
    a, b = keys(0, 1)
    add(table, [a, b])
    add(table, [b])
    assert held(table, [a, b]) == [[1], [2, 1]]
    add(table, [b])
    assert held(table, [a, b]) == [[], [2, 1, 1]]
    add(table, [a])  # afresh
    assert held(table, [a]) == [[1]]


def test_the_key_appended_to_longest_ago_makes_room(make, keys):
    table = make(eviction=EvictionRule(max_rows=2))
    a, b, c = keys(0, 1, 2)
    add(table, [a, a, a])
    add(table, [b])
    add(table, [c])
    assert held(table, [a, b, c]) == [[], [1], [1]]
    assert list(table.evicted_keys()) == [a]
    assert table.stats()["removals"] == 1


@pytest.mark.parametrize("eviction", EVICTIONS.values(), ids=EVICTIONS.keys())
@pytest.mark.parametrize("admission", ADMISSIONS.values(), ids=ADMISSIONS.keys())
def test_a_long_random_sequence(kind, admission, eviction, rng):
    policies = {"admission": admission, "eviction": eviction}
    reference, compiled = ReferenceRecords(2, 3, **policies), Compiled(2, 3, kind, **policies)
    every = [key_of(kind, i) for i in range(60)]
    for step in range(60):
        n = int(rng.integers(0, 25))
        chosen = [every[int(i)] for i in rng.zipf(1.4, n) % 60]
        batch = rng.normal(size=(n, 2)).astype(np.float32)
        times = 10_000 + 1000 * step + rng.integers(-3000, 3000, n)
        mask = None if step % 3 else rng.random(n) < 0.7
        for table in (reference, compiled):
            table.append(chosen, batch, times, mask)
        if step % 11 == 0:
            gone = [every[int(i)] for i in rng.integers(0, 60, 3)]
            assert reference.remove(gone) == compiled.remove(gone)
        for a, b in zip(reference.recent(every), compiled.recent(every), strict=True):
            np.testing.assert_array_equal(a, b)
        assert sorted(reference.evicted_keys()) == sorted(compiled.evicted_keys().tolist())
        stats = compiled.stats()
        assert reference.stats() == {name: stats[name] for name in reference.stats()}


def test_evicting_by_hand(kind):
    table = Compiled(1, 2, kind)
    a, b, c = (key_of(kind, i) for i in range(3))
    add(table, [a, b, c], at=[1000, 2000, 3000])
    add(table, [c], at=3000)
    assert table.evict() == 0
    assert table.evict(SecondsToLive(1500)) == 1
    assert table.evict([LeastRecentlyUsed(max_rows=1)]) == 1
    evicted = table.evicted_keys().tolist()
    assert evicted[0] == a
    assert len(evicted) == 2
    assert table.size() == 1
    assert table.metadata([c, a]).last_time.astype(str).tolist()[1] == "NaT"


def test_records_have_no_norm():
    message = r"`eviction` must not be by norm.*a minimum norm of 0.5 \(in record table 'tested'\)"
    with pytest.raises(ValueError, match=message):
        RecordTable(1, 2, name="tested", eviction=MinimumNorm(0.5).rule())
    with pytest.raises(ValueError, match=message):
        RecordTable(1, 2, name="tested").evict(MinimumNorm(0.5))


def test_what_waits_and_what_is_known_of_time_is_saved(kind):
    policies = {"admission": AdmissionRule("minimum_count", count=2),
                "eviction": EvictionRule(seconds_to_live=100)}  # fmt: skip
    table, other = Compiled(1, 2, kind, **policies), Compiled(1, 2, kind, **policies)
    a, b, c = (key_of(kind, i) for i in range(3))
    add(table, [a, a, b], at=1000)
    other.deserialize(table.serialize())
    for one in (table, other):
        add(one, [b, c, c], at=[1050, 1101, 1101])
        add(one, [c], at=1101)
        assert held(one, [a, b, c]) == [[], [1], [3, 1]]
