"""Files of version 1 are read for ever: by the page alone, and by the engine."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest

from recs.ops.reference import Batch
from tests.ops import golden_tables
from tests.ops.compiled import CompiledTable
from tests.ops.conftest import key_of
from tests.ops.golden_tables import CHAIN, DRAWN, STATES, TABLES, path_of
from tests.ops.state_files import Record, State, read

# A file that differs from what it was proves nothing of what users have.
DIGESTS = {
    "adagrad": "8106f4e25d9c505824dbca0b91cd1ff0",
    "bloom": "321f2dd0dd3c40b84e660705813f861b",
    "chain_base": "9731875a83fefb8ff477e633b3d991b8",
    "chain_delta_1": "04690c0941d9edad3b61812af1200f4c",
    "chain_delta_2": "f43ea5fe12d289cb3b1f304cb8a007ae",
    "drawn": "27d0814ae30c276e56cca6ad7d02ddb5",
    "empty": "38ec77698ca6d806de09ba22f6993d36",
    "momentum": "9078f31c2010d40e278ce5c655c37f33",
    "no_slots": "431e17f3c9d031a3d7aefe41fe9d4764",
    "records": "41fdff30712013d6213096e24d56c0f6",
    "scalars": "5462d26486d26e320930a2d1f34dc915",
    "waiting": "5e5016fa84d32d9a702748dd856bc980",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_the_files_are_those_of_then(name):
    digest = hashlib.sha256(path_of(name).read_bytes()).hexdigest()
    assert digest[:32] == DIGESTS[name]


def test_every_file_is_known():
    assert {p.stem for p in golden_tables.FOLDER.iterdir()} == set(DIGESTS)


def bits(values: list[float]) -> list[int]:
    return np.array(values, np.float32).view(np.uint32).tolist()


def check_records(table: CompiledTable, expected: dict[int | bytes, Record]) -> None:
    """Everything that is stored of a key is what the file has."""
    found = table.table.records(slots=True)
    assert set(found.keys.tolist()) == expected.keys()
    noted = found.metadata
    for i, key in enumerate(found.keys.tolist()):
        one = expected[key]
        assert bits(found.rows[i]) == bits(one.row)
        slots = [np.atleast_1d(slot[i]).view(np.uint32) for slot in found.slots.values()]
        assert np.concatenate([*slots, np.zeros(0, np.uint32)]).tolist() == bits(one.slots)
        assert noted.count[i] == one.count
        if one.count > 0:
            assert noted.last_step[i] == one.step
            assert noted.last_time[i].astype(int) == one.time


def check_header(table: CompiledTable, state: State) -> None:
    stats, head = table.stats(), state.header
    assert stats["step"] == head["step"]
    trained = head["with_slots"] == 1
    assert stats["optimizer"] == (head["optimizer"].decode() if trained else "")
    assert stats["slots"] == (head["slots"] + head["scalars"] if trained else 0)
    assert stats["waiting"] == len(state.waiting)


@pytest.mark.parametrize("name", STATES)
def test_a_state_is_read_and_restored(name):
    state = read(path_of(name).read_bytes())
    table = TABLES[name]()
    table.table.restore(path_of(name))
    check_records(table, state.records)
    check_header(table, state)
    told = state.header["told"]
    assert bool(told) == (name != "empty")
    if told:
        assert (told["learning_rate"], told["epsilon" if "epsilon" in told else "momentum"]) in [
            (0.5, struct.unpack("<f", struct.pack("<f", 1e-7))[0]), (0.5, 0.5)
        ]  # fmt: skip
    assert (state.initial_rows is not None) == (name == "drawn")
    if name == "drawn":
        np.testing.assert_array_equal(state.initial_rows, DRAWN)
    # A second restore replaces the first; training goes on from it.
    table.table.restore(path_of(name))
    golden_tables.train(name, table, range(int(table.stats()["step"]), 6))
    assert table.size() >= len(state.records)


def test_what_was_counted_is_restored():
    waiting = read(path_of("waiting").read_bytes()).waiting
    assert set(waiting.values()) == {2}
    table = TABLES["waiting"]()
    table.table.restore(path_of("waiting"))
    table.find_or_insert(Batch([next(iter(waiting)), b"another"]))
    assert table.find(Batch([next(iter(waiting)), b"another"]))[1].tolist() == [True, False]
    state = read(path_of("bloom").read_bytes())
    assert state.counter_shape == (1, 3, 64)
    assert np.count_nonzero(state.counters) >= len(state.records)
    table = TABLES["bloom"]()
    table.table.restore(path_of("bloom"))
    seen, unseen = key_of("int64", 30), key_of("int64", 500)
    table.find_or_insert(Batch([seen, unseen]))
    assert table.find(Batch([seen, unseen]))[1].tolist() == [True, False]


def test_a_chain_is_read_and_applied():
    base, *deltas = (read(path_of(name).read_bytes()) for name in CHAIN)
    assert [one.header["what"] for one in (base, *deltas)] == [1, 2, 2]
    assert len({one.header["life"] for one in (base, *deltas)}) == 1
    table = TABLES["chain"]()
    table.table.restore(path_of(CHAIN[0]))
    expected, epoch = dict(base.records), base.header["epoch"]
    check_records(table, expected)
    for name, delta in zip(CHAIN[1:], deltas, strict=True):
        assert delta.header["since"] == epoch
        assert delta.removed
        epoch = delta.header["epoch"]
        expected = {k: v for k, v in expected.items() if k not in delta.removed} | delta.records
        assert delta.header["records"] == len(expected)
        table.table.apply(path_of(name))
        check_records(table, expected)
        check_header(table, delta)


def test_records_are_read_and_restored():
    state = read(path_of("records").read_bytes())
    table = golden_tables.records()
    table.restore(path_of("records"))
    assert state.records.keys() == {b"a", b"", b"x" * 50}
    lengths = {}
    for key, one in state.records.items():
        words = np.array(one.row, np.float32).view(np.uint32)
        lengths[key] = min(int(words[0]), 3)
    found = table.recent([b"a", b"", b"x" * 50])
    assert found.lengths.numpy().tolist() == [lengths[k] for k in (b"a", b"", b"x" * 50)]
    assert found.times.numpy().tolist() == [[3, 4, 5], [2, 0, 0], [6, 0, 0]]
    assert found.records[0].numpy().tolist() == [[4, 5], [6, 7], [8, 9]]
