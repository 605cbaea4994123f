"""States without slots, and states that come into what is there."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.ops.admission_rule import AdmissionRule
from recs.ops.eviction_rule import EvictionRule
from recs.ops.reference import Batch
from recs.ops.row_initializer import UNIFORM, RowInitializer
from tests.ops.compiled import CompiledTable
from tests.ops.conftest import key_of
from tests.ops.state_files import read

INITIALIZER = RowInitializer(UNIFORM, -1.0, 1.0)
ADAGRAD = ("adagrad", (0.125, 1e-7))
SGD = ("sgd", (0.0, 0.0))


def new(kind: str, **arguments: object) -> CompiledTable:
    return CompiledTable(3, kind, INITIALIZER, 3, **arguments)


def train(table: CompiledTable, kind: str, numbers: range, optimizer: tuple = ADAGRAD) -> None:
    batch = Batch([key_of(kind, i) for i in numbers])
    step = int(table.stats()["step"])
    table.add_gradient(table.find_or_insert(batch), np.full((len(numbers), 3), 0.5, np.float32))
    table.commit(*optimizer, learning_rate=0.5, step=step)


def slots_of(table: CompiledTable) -> dict[int | bytes, list[float]]:
    found = table.table.records(slots=True)
    return dict(zip(found.keys.tolist(), found.slots["accumulator"].tolist(), strict=True))


@pytest.mark.parametrize("when", ["saving", "restoring"])
def test_rows_without_slots_begin_with_initial_ones(kind, tmp_path, when):
    table, other = new(kind), new(kind)
    for numbers in (range(20), range(10)):
        train(table, kind, numbers)
    table.table.save(tmp_path / "state", slots=when == "restoring")
    assert read((tmp_path / "state").read_bytes()).header["with_slots"] == (when == "restoring")
    train(other, kind, range(5), SGD)
    other.table.restore(tmp_path / "state", slots=when == "saving")
    assert other.stats()["optimizer"] == ""
    assert other.stats()["slots"] == 0
    for key, row in other.export().items():
        np.testing.assert_array_equal(row, table.export()[key])
    before = other.export()
    train(other, kind, range(20))
    step = 0.5 * 0.5 / np.sqrt(0.125 + 0.25)
    for key, row in other.export().items():
        np.testing.assert_allclose(before[key] - row, step, rtol=1e-6)


def test_a_state_without_slots_is_smaller(kind, tmp_path):
    table = new(kind)
    train(table, kind, range(100))
    sizes = []
    for slots in (True, False):
        table.table.save(tmp_path / "state", slots=slots)
        sizes.append((tmp_path / "state").stat().st_size)
    assert sizes[0] - sizes[1] == 100 * 3 * 4


def test_a_merge_adds_and_replaces(kind, tmp_path):
    saved, table = new(kind), new(kind)
    for _ in range(3):
        train(saved, kind, range(10, 30))
    saved.table.save(tmp_path / "state")
    train(table, kind, range(20))
    mine = table.export(), slots_of(table), table.metadata()
    table.table.restore(tmp_path / "state", merge=True)
    theirs = saved.export(), slots_of(saved), saved.metadata()
    for got, own, other in zip(
        (table.export(), slots_of(table), table.metadata()), mine, theirs, strict=True
    ):
        assert got.keys() == own.keys() | other.keys()
        for key, value in got.items():
            np.testing.assert_array_equal(value, other.get(key, own.get(key)))
    assert table.size() == 30
    assert table.stats()["step"] == 3  # the later one
    train(table, kind, range(30))  # and it trains on


def test_a_merge_of_rows_alone_gives_initial_slots(kind, tmp_path):
    saved, table = new(kind), new(kind)
    train(saved, kind, range(10, 20))
    train(table, kind, range(15))
    own = slots_of(table)
    for slots in (True, False):
        saved.table.save(tmp_path / "state", slots=slots)
        table.table.restore(tmp_path / "state", merge=True, slots=False)
        for i in range(20):
            expected = own[key_of(kind, i)] if i < 10 else [0.125] * 3
            assert slots_of(table)[key_of(kind, i)] == expected


def test_a_merge_of_slots_needs_the_same_optimizer(kind, tmp_path):
    saved, table = new(kind), new(kind)
    train(saved, kind, range(10))
    saved.table.save(tmp_path / "state")
    train(table, kind, range(5), SGD)
    before = table.serialize()
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        table.table.restore(tmp_path / "state", merge=True)
    message = caught.value.message
    assert "The optimizer of both must be the same for slots to be taken over." in message
    assert "Received: sgd with 0 vector and 0 scalar slots, saved: adagrad with 1 vector" in message
    assert f"(in table 'tested', {tmp_path}/state). Give `slots=False`" in message
    assert table.serialize() == before
    table.table.restore(tmp_path / "state", merge=True, slots=False)
    assert table.size() == 10
    assert table.stats()["optimizer"] == "sgd"
    fresh = new(kind)  # never trained: it takes the slots over
    fresh.upsert([key_of(kind, 50)], [[1, 2, 3]])
    fresh.table.restore(tmp_path / "state", merge=True)
    assert slots_of(fresh) == {**slots_of(saved), key_of(kind, 50): [0.125] * 3}


@pytest.mark.parametrize("storage", ["float32", "bfloat16", "float16"])
def test_a_merge_converts(kind, tmp_path, storage):
    saved, table = new(kind), new(kind, storage=storage)
    keys = [key_of(kind, i) for i in range(4)]
    saved.upsert(keys[1:], np.arange(9.0).reshape(3, 3))
    saved.table.save(tmp_path / "state")
    table.upsert(keys[:2], np.full((2, 3), 0.5))
    table.table.restore(tmp_path / "state", merge=True)
    rows, found = table.find(Batch(keys))
    assert found.all()
    assert rows.tolist() == [[0.5] * 3, [0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_a_merge_keeps_bounds_and_forgets_who_waits(kind, tmp_path):
    saved = new(kind)
    train(saved, kind, range(10, 40))
    saved.table.save(tmp_path / "state")
    bounded = new(kind, eviction=EvictionRule(max_rows=20))
    train(bounded, kind, range(20))
    bounded.table.restore(tmp_path / "state", merge=True)
    assert bounded.size() == 20
    waiting = new(kind, admission=AdmissionRule("minimum_count", count=2))
    waiting.find_or_insert(Batch([key_of(kind, i) for i in range(20)]))
    waiting.table.restore(tmp_path / "state", merge=True)
    assert waiting.size() == 30
    assert waiting.stats()["waiting"] == 10


def test_a_damaged_merge_changes_nothing(kind, tmp_path, rng):
    saved, table = new(kind), new(kind)
    train(saved, kind, range(30))
    saved.table.save(tmp_path / "state")
    train(table, kind, range(20, 50))
    whole = (tmp_path / "state").read_bytes()
    before = table.serialize()
    for at in rng.integers(0, len(whole), 60):
        altered = bytearray(whole)
        altered[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "state").write_bytes(bytes(altered))
        with pytest.raises(tf.errors.DataLossError, match="complete and unaltered"):
            table.table.restore(tmp_path / "state", merge=True)
        assert table.serialize() == before
