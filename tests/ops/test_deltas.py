"""What changed in a table, for whoever follows it: files and arrays."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from recs.ops.admission_rule import AdmissionRule
from recs.ops.cursor import Cursor
from recs.ops.eviction_rule import EvictionRule
from recs.ops.record_table import RecordTable
from recs.ops.reference import Batch
from recs.ops.row_initializer import UNIFORM, RowInitializer
from tests.ops.compiled import CompiledTable
from tests.ops.conftest import key_of
from tests.ops.state_files import State, read

INITIALIZER = RowInitializer(UNIFORM, -1.0, 1.0)
ADAM = ("adam", (0.9, 0.999, 0.1, 0.001, 1e-7))


def new(kind: str, **policies: object) -> CompiledTable:
    return CompiledTable(3, kind, INITIALIZER, 3, **policies)


def train(table: CompiledTable, kind: str, numbers: np.ndarray) -> None:
    batch = Batch([key_of(kind, int(i)) for i in numbers])
    step = int(table.stats()["step"])
    gradient = np.full((len(numbers), 3), 1.0 + step, np.float32)
    table.add_gradient(table.find_or_insert(batch, time=1000 + step), gradient)
    table.commit(*ADAM, learning_rate=0.1, step=step)


def something(table: CompiledTable, kind: str, rng: np.random.Generator) -> None:
    numbers = rng.integers(0, 150, 40)
    keys = [key_of(kind, int(i)) for i in numbers]
    chosen = rng.integers(6)
    if chosen == 0:
        table.upsert(keys, rng.normal(size=(40, 3)))
    elif chosen == 1:
        table.remove(keys[:20])
    elif chosen == 2:
        table.evict(EvictionRule(steps_to_live=6))
    else:
        train(table, kind, numbers)


def state_of(table: CompiledTable, path: pathlib.Path) -> State:
    table.table.save(path)
    return read(path.read_bytes())


POLICIES = {
    "none": {},
    "waiting": {"admission": AdmissionRule("minimum_count", count=2)},
    "bounded": {"eviction": EvictionRule(max_rows=60)},
    "bloom": {
        "admission": AdmissionRule("counting_bloom_filter", 2, 1000, 0.01),
        "eviction": EvictionRule(steps_to_live=5),
    },
}


@pytest.mark.parametrize("policies", POLICIES.values(), ids=POLICIES)
def test_a_base_and_its_deltas_give_the_table_bit_for_bit(kind, tmp_path, rng, policies):
    table, copy = new(kind, **policies), new(kind, **policies)
    cursor = None
    for i in range(15):
        for _ in range(rng.integers(4)):
            something(table, kind, rng)
        whole = cursor is None
        cursor = table.table.save_delta(tmp_path / f"{i}", since=cursor, slots=True)
        (copy.table.restore if whole else copy.table.apply)(tmp_path / f"{i}")
        ours, theirs = (state_of(one, tmp_path / "state") for one in (copy, table))
        assert ours.records == theirs.records
        assert ours.waiting == theirs.waiting
        np.testing.assert_array_equal(ours.counters, theirs.counters)
        follows = ("life", "epoch")
        heads = [{k: v for k, v in s.header.items() if k not in follows} for s in (ours, theirs)]
        assert heads[0] == heads[1]
    for one in (table, copy):  # and both go on equally
        train(one, kind, np.arange(100))
    assert state_of(copy, tmp_path / "a").records == state_of(table, tmp_path / "b").records


def test_a_delta_has_what_changed_and_nothing_else(kind, tmp_path, keys):
    table = new(kind)
    train(table, kind, np.arange(9))
    cursor = table.table.save_delta(tmp_path / "base")
    base = read((tmp_path / "base").read_bytes())
    assert (base.header["what"], base.header["with_slots"], len(base.records)) == (1, 0, 9)
    table.upsert(keys(2, 50), np.ones((2, 3)))
    table.remove(keys(3, 50, 99))
    train(table, kind, np.array([4]))
    later = table.table.save_delta(tmp_path / "delta", since=str(cursor))
    assert later.life == cursor.life
    assert later.epoch == cursor.epoch + 1
    delta = read((tmp_path / "delta").read_bytes())
    assert set(delta.records) == set(keys(2, 4))
    assert sorted(delta.removed) == sorted(keys(3, 50))
    assert (delta.header["since"], delta.header["epoch"]) == (cursor.epoch, later.epoch)
    table.table.save_delta(tmp_path / "nothing", since=later)
    nothing = read((tmp_path / "nothing").read_bytes())
    assert (nothing.records, nothing.removed) == ({}, [])


def test_arrays_tell_the_same(kind, keys):
    table = new(kind)
    table.upsert(keys(0, 1, 2, 3), np.arange(12.0).reshape(4, 3))
    first = table.table.delta()
    assert sorted(first.keys.tolist()) == sorted(keys(0, 1, 2, 3))
    assert first.deleted.size == 0
    other = table.table.delta()  # another consumer, with a cursor of its own
    table.remove(keys(0, 1))
    table.upsert(keys(1, 5), [[7, 7, 7], [8, 8, 8]])
    second = table.table.delta(first.cursor)
    rows = dict(zip(second.keys.tolist(), second.rows.tolist(), strict=True))
    assert rows == {keys(1)[0]: [7, 7, 7], keys(5)[0]: [8, 8, 8]}
    assert second.deleted.tolist() == keys(0)
    table.upsert(keys(2), [[9, 9, 9]])
    assert table.table.delta(second.cursor).keys.tolist() == keys(2)
    third = table.table.delta(str(other.cursor))
    assert sorted(third.keys.tolist()) == sorted(keys(1, 2, 5))
    assert third.deleted.tolist() == keys(0)


def test_nobody_pays_before_somebody_asks(kind):
    table, plain = new(kind), new(kind)
    for one in (table, plain):
        train(one, kind, np.arange(100))
    before = table.table.stats()["bytes"]
    assert before == plain.table.stats()["bytes"]
    table.table.delta()
    assert before < table.table.stats()["bytes"] < before + 64 * 4 * 100  # of 64 parts


def test_cursors_of_another_life_are_refused(kind, tmp_path):
    table = new(kind)
    train(table, kind, np.arange(9))
    old = table.table.save_delta(tmp_path / "base")
    foreign = new(kind).table.delta().cursor
    never = Cursor(old.life, old.epoch + 1)
    for cursor in (foreign, never):
        with pytest.raises(tf.errors.FailedPreconditionError, match="Take a new base"):
            table.table.save_delta(tmp_path / "delta", since=cursor)
    table.table.save_delta(tmp_path / "delta", since=old)
    table.clear()
    with pytest.raises(tf.errors.FailedPreconditionError, match="made, restored or cleared"):
        table.table.delta(old)
    cursor = table.table.delta().cursor
    table.table.restore(tmp_path / "base")
    with pytest.raises(tf.errors.FailedPreconditionError, match="in a delta of table 'tested'"):
        table.table.delta(cursor)
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]
    for text in ("", "x", str(old) + "x"):
        with pytest.raises(ValueError, match="must be the text of one"):
            table.table.delta(text)


def test_deltas_are_applied_in_their_order(kind, tmp_path):
    table, copy = new(kind), new(kind)
    cursor = None
    for i in range(4):
        train(table, kind, np.arange(10 * i, 10 * i + 20))
        cursor = table.table.save_delta(tmp_path / f"{i}", since=cursor)

    def refused(name: str, error: type[Exception], message: str) -> None:
        before = copy.serialize()
        with pytest.raises(error, match=message):
            copy.table.apply(tmp_path / name)
        assert copy.serialize() == before

    refused("1", tf.errors.FailedPreconditionError, "a table at of no base")
    copy.table.restore(tmp_path / "0")
    refused("2", tf.errors.FailedPreconditionError, "Restore the base of the chain and apply")
    refused("0", tf.errors.InvalidArgumentError, "must be a delta. Received: a whole state")
    copy.table.apply(tmp_path / "1")
    refused("1", tf.errors.FailedPreconditionError, "must follow the state")
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be of a whole state"):
        copy.table.restore(tmp_path / "2")
    damaged = bytearray((tmp_path / "2").read_bytes())
    damaged[-40] ^= 4
    (tmp_path / "damaged").write_bytes(damaged)
    refused("damaged", tf.errors.DataLossError, "complete and unaltered")
    # A state of the follower keeps its place in the chain.
    copy.table.save(tmp_path / "state")
    again = new(kind)
    again.table.restore(tmp_path / "state")
    for one in (copy, again):
        for name in ("2", "3"):
            one.table.apply(tmp_path / name)
        assert one.export().keys() == table.export().keys()
        for key, row in one.export().items():
            np.testing.assert_array_equal(row, table.export()[key])


def test_record_tables_have_deltas_too(kind, tmp_path, keys):
    table, copy = (RecordTable(2, 3, kind) for _ in range(2))
    table.append(keys(0, 0, 1), np.arange(6.0).reshape(3, 2), timestamps=[1, 2, 3])
    cursor = table.save_delta(tmp_path / "base", slots=True)
    copy.restore(tmp_path / "base")
    first = table.delta()
    table.append(keys(0, 2), [[8, 8], [9, 9]], timestamps=[4, 5])
    table.remove(keys(1))
    table.save_delta(tmp_path / "delta", since=cursor, slots=True)
    copy.apply(tmp_path / "delta")
    for one, other in zip(copy.recent(keys(0, 1, 2)), table.recent(keys(0, 1, 2)), strict=True):
        np.testing.assert_array_equal(one, other)
    second = table.delta(first.cursor)
    order = [second.keys.tolist().index(key) for key in keys(0, 2)]
    assert second.rows.lengths[order].tolist() == [3, 1]
    assert second.rows.records[order[0]].tolist() == [[0, 1], [2, 3], [8, 8]]
    assert second.deleted.tolist() == keys(1)
