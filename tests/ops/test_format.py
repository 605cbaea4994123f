"""The bytes of a saved table as docs/formats/table.md says, against the engine."""

from __future__ import annotations

import struct
import time

import numpy as np
import pytest
import tensorflow as tf

from recs.ops.admission_rule import AdmissionRule
from recs.ops.reference import Batch
from recs.ops.reference.hashing import hash_keys, mix
from recs.ops.row_initializer import BLOCK, NORMAL, RowInitializer
from tests.ops.compiled import CompiledTable
from tests.ops.conftest import key_of
from tests.ops.state_files import (
    a_key,
    a_string,
    block,
    blocks_of,
    complete,
    contents_of,
    header,
    manifest,
    record,
)


@pytest.fixture
def table(kind) -> CompiledTable:
    return CompiledTable(2, kind, RowInitializer(NORMAL, 0.5, 0.25), -5)


def test_what_is_written_is_what_the_page_says(table, kind, tmp_path):
    keys = [key_of(kind, i) for i in range(9)]
    for step in range(7):
        table.add_gradient(table.find_or_insert(Batch(keys)), np.zeros((9, 2), np.float32))
        table.commit("adagrad", (0.125, 1e-7), learning_rate=0.1, step=step)
    table.table.save(tmp_path / "state")
    blocks = blocks_of((tmp_path / "state").read_bytes())
    assert blocks == table.serialize()
    records = contents_of(blocks[1], 2)
    size = len(record(keys[0], [0, 0], [0, 0])) - len(a_key(keys[0]))
    # The clock's, and of all records the same: the last look-up had all of them.
    at = 8 if kind == "int64" else 8 + struct.unpack_from("<Q", records)[0]
    last = struct.unpack_from("<I", records, at + 8)[0]
    assert abs(last - time.time()) < 60
    told = {"learning_rate": 0.1, "weight_decay": 0, "clipnorm": 0, "clipvalue": 0,
            "initial_accumulator_value": 0.125, "epsilon": 1e-7}  # fmt: skip
    assert contents_of(blocks[0], 1) == header(kind, 9, newest_time=last, told=told)
    expected = {
        record(key, row.tolist(), [0.125, 0.125], 7, 6, last) for key, row in table.export().items()
    }
    got = set()
    while records:
        at = size + (8 if kind == "int64" else 8 + struct.unpack_from("<Q", records)[0])
        got.add(records[:at])
        records = records[at:]
    assert got == expected
    assert blocks[2:] == [manifest(blocks[:2], 9)]


def test_what_the_page_says_is_read(table, kind):
    records = [record(key_of(kind, i), [i, -i], [0.5, 1.5]) for i in range(9)]
    state = [block(1, header(kind, 9)), block(2, b"".join(records[:4])), block(2, b""),
             block(2, b"".join(records[4:]))]  # fmt: skip
    table.deserialize(complete(state, 9))
    rows, found = table.find(Batch([key_of(kind, i) for i in range(9)]))
    assert found.all()
    np.testing.assert_array_equal(rows, [[i, -i] for i in range(9)])
    assert table.stats()["step"] == 7
    batch = Batch([key_of(kind, 0), key_of(kind, 50)])
    table.add_gradient(table.find_or_insert(batch), np.ones((2, 2), np.float32))
    table.commit("adagrad", (0.125, 1e-30), learning_rate=1.0, step=7)
    got = table.find(batch)[0]
    np.testing.assert_allclose(got[0], [-(1.5**-0.5), -(2.5**-0.5)], rtol=1e-6)
    fresh = CompiledTable(2, kind, RowInitializer(NORMAL, 0.5, 0.25), -5)
    initial = fresh.find_or_insert(Batch(batch.keys[1:])).output[0]
    np.testing.assert_allclose(got[1], initial - 1.125**-0.5, rtol=1e-6)


@pytest.mark.parametrize(
    "changed",
    [
        {"magic": b"RECSTAC\0"}, {"version": 2}, {"order": 0x04030201}, {"key_type": 3},
        {"dim": 0}, {"storage": 3}, {"scalars": -1}, {"scalars": 65}, {"slots": -1},
        {"slots": 2}, {"slots": 65}, {"initializer": 6}, {"initializer": 4},
        {"initializer": 2**32 - 1}, {"records": -1}, {"records": 2}, {"what": 3},
        {"with_slots": 2}, {"slots_reset": 2},
    ],
)  # fmt: skip
def test_other_headers_are_refused(table, kind, changed):
    state = [
        block(1, header(kind, **{"records": 1, **changed})),
        block(2, record(key_of(kind, 0), [1, 2], [3, 4])),
    ]
    with pytest.raises(tf.errors.DataLossError, match="complete and unaltered"):
        table.deserialize(complete(state, 1))
    assert table.size() == 0


def test_hyperparameters_that_end_early_are_refused(table, kind):
    whole = header(kind, told={"epsilon": 0.5})
    one = block(2, record(key_of(kind, 0), [1, 2], [3, 4]))
    table.deserialize(complete([block(1, whole), one], 1))
    for wrong in (whole[:-1], whole + b"\0", whole[:-5], header(kind)[:-4] + b"\1\0\0\0"):
        with pytest.raises(tf.errors.DataLossError, match="header that is not of a table"):
            table.deserialize(complete([block(1, wrong), one], 1))


def test_a_manifest_must_tell_of_the_blocks(table, kind):
    state = [block(1, header(kind)), block(2, record(key_of(kind, 0), [1, 2], [3, 4]))]
    right = complete(state, 1)
    wrong = [
        state, [*right, right[-1]], [*right, block(2, b"")], [*state, manifest(state[:1], 1)],
        [*state, manifest(state, 0)], [*state, manifest(state, 1, 1)],
        [*state, manifest([state[1], state[0]], 1)], [state[0], block(2, b""), *right[1:]],
    ]  # fmt: skip
    for blocks in wrong:
        with pytest.raises(tf.errors.DataLossError, match="complete and unaltered"):
            table.deserialize(blocks)
        assert table.size() == 0
    table.deserialize(right)
    assert table.size() == 1


def test_slots_that_were_not_saved_begin_anew(table, kind):
    head = block(1, header(kind, with_slots=0))
    packed = a_key(key_of(kind, 0)) + struct.pack("<3I2f", 1, 2, 3, 4.0, 5.0)
    table.deserialize(complete([head, block(2, packed)], 1))
    np.testing.assert_array_equal(table.find(Batch([key_of(kind, 0)]))[0], [[4, 5]])
    assert table.stats()["optimizer"] == ""
    batch = Batch([key_of(kind, 0)])
    table.add_gradient(table.find_or_insert(batch), np.ones((1, 2), np.float32))
    table.commit("adagrad", (0.125, 1e-30), learning_rate=1.0, step=7)
    expected = np.array([[4, 5]]) - 1.125**-0.5
    np.testing.assert_allclose(table.find(batch)[0], expected, rtol=1e-6)


def delta_header(kind: str, since: int, epoch: int, **changed: object) -> bytes:
    life = bytes(range(1, 17))
    return header(kind, 9, what=2, life=life, since=since, epoch=epoch, **changed)


def test_what_the_page_says_of_deltas_is_applied(table, kind, tmp_path):
    keys = [key_of(kind, i) for i in range(4)]
    base = [
        block(1, header(kind, 3, what=1, life=bytes(range(1, 17)), epoch=4)),
        block(2, b"".join(record(key, [1, 1], [2, 2]) for key in keys[:3])),
    ]
    table.deserialize(complete(base, 3))
    delta = [
        block(1, delta_header(kind, 4, 5, step=11)),
        block(5, a_key(keys[0]) + a_key(keys[1]) + a_key(keys[0])),
        block(2, record(keys[1], [5, 5], [2, 2]) + record(keys[3], [7, 7], [2, 2])),
    ]

    def apply(blocks: list[bytes]) -> None:
        sized = b"".join(struct.pack("<Q", len(one)) + one for one in blocks)
        (tmp_path / "delta").write_bytes(sized + struct.pack("<Q", 0))
        table.table.apply(tmp_path / "delta")

    with pytest.raises(tf.errors.DataLossError, match="other blocks than the manifest"):
        apply(complete(delta, 2, 2))
    with pytest.raises(tf.errors.FailedPreconditionError, match="must follow the state"):
        apply(complete([block(1, delta_header(kind, 5, 6)), *delta[1:]], 2, 3))
    assert table.stats()["step"] == 7
    apply(complete(delta, 2, 3))
    rows, found = table.find(Batch(keys))
    assert found.tolist() == [False, True, True, True]
    np.testing.assert_array_equal(rows[1:], [[5, 5], [1, 1], [7, 7]])
    assert table.stats()["step"] == 11
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be of a whole state"):
        table.table.restore(tmp_path / "delta")
    with pytest.raises(tf.errors.DataLossError, match="which only deltas have"):
        table.deserialize(complete([*base, delta[1]], 3, 3))


DRAWN = np.arange(6, dtype=np.float32).reshape(3, 2)


def test_drawn_rows_have_a_block_of_their_own(kind):
    table = CompiledTable(2, kind, RowInitializer(BLOCK, block=DRAWN), -5)
    keys = [key_of(kind, i) for i in range(9)]
    table.find_or_insert(Batch(keys))
    blocks = table.serialize()
    assert len(blocks) == 4
    assert contents_of(blocks[1], 4) == DRAWN.tobytes()
    contents_of(blocks[2], 2)
    h = hash_keys(keys)
    seeded = mix(np.array([(2**64 - 5 + 0x9E3779B97F4A7C15) % 2**64], np.uint64))
    expected = DRAWN[mix(h ^ seeded) % np.uint64(3)]
    np.testing.assert_array_equal(table.find(Batch(keys))[0], expected)


def test_drawn_rows_are_read_once_and_whole(kind):
    table = CompiledTable(2, kind, RowInitializer(BLOCK, block=DRAWN), 0)
    first = block(1, header(kind, 1, initializer=4))
    records = block(2, record(key_of(kind, 0), [1, 2], [3, 4]))
    drawn = block(4, np.full((1, 2), 7.0, np.float32).tobytes())
    for damaged in ([first, drawn, drawn, records], [first, block(4, b"1234"), records],
                    [first, records], [block(1, header(kind, 1)), drawn, records]):  # fmt: skip
        with pytest.raises(tf.errors.DataLossError, match="initial rows"):
            table.deserialize(complete(damaged, 1))
        assert table.size() == 0
    for order in ([first, drawn, records], [first, records, drawn]):
        table.deserialize(complete(order, 1))
        new = table.find_or_insert(Batch([key_of(kind, 0), key_of(kind, 1)])).output
        np.testing.assert_array_equal(new, [[1, 2], [7, 7]])


def waiting(counts: dict[int | bytes, int], total: int | None = None) -> bytes:
    packed = struct.pack("<IQ", 1, len(counts) if total is None else total)
    for key, count in counts.items():
        packed += struct.pack("<q", key) if isinstance(key, int) else a_string(key)
        packed += struct.pack("<I", count)
    return packed


def with_filter(kind: str, rule: AdmissionRule) -> CompiledTable:
    return CompiledTable(2, kind, RowInitializer(NORMAL, 0.5, 0.25), -5, admission=rule)


MINIMUM = AdmissionRule("minimum_count", count=5)
BLOOM = AdmissionRule("counting_bloom_filter", 300, 10_000, 0.01)
M = 1498  # ceil(ceil(10,000 * -ln(0.01) / ln(2)^2) / 64)


def counters_of(counts: dict[int | bytes, int]) -> np.ndarray:
    """One key after another, each counted at once."""
    counters = np.zeros(64 * M, np.uint16)
    for key, count in counts.items():
        (x,) = (int(word) for word in hash_keys([key]))
        words = [(x + i * 0x9E3779B97F4A7C15) % 2**64 for i in range(1, 8)]
        upper = mix(np.array(words, np.uint64)) >> np.uint64(32)
        positions = [(x >> 58) * M + (int(word) * M >> 32) for word in upper]
        least = min(int(counters[p]) for p in positions)
        for p in positions:
            counters[p] = max(counters[p], least + count)
    return counters


def bloom(counters: np.ndarray, first: int = 0, width: int = 2, h: int = 7, m: int = M) -> bytes:
    return struct.pack("<IIIQ", 2, width, h, m) + run(counters, first)


def run(counters: np.ndarray, first: int) -> bytes:
    return struct.pack("<QQ", first, len(counters)) + counters.tobytes()


def test_waiting_keys_are_written_as_the_page_says(kind):
    table = with_filter(kind, MINIMUM)
    counts = {key_of(kind, i): 1 + i % 4 for i in range(9)}
    table.find_or_insert(Batch([key for key, count in counts.items() for _ in range(count)]))
    blocks = table.serialize()
    assert len(blocks) == 3
    contents = contents_of(blocks[1], 3)
    assert sorted(contents) == sorted(waiting(counts))  # in any order
    assert contents[:12] == waiting(counts)[:12]
    assert len(contents) == len(waiting(counts))


def test_counters_are_written_as_the_page_says(kind):
    table = with_filter(kind, BLOOM)
    counts = {key_of(kind, i): 1 + i for i in range(9)}
    for key, count in counts.items():
        table.find_or_insert(Batch([key] * count))
    blocks = table.serialize()
    assert len(blocks) == 3
    expected = counters_of(counts)
    contents = contents_of(blocks[1], 3)
    assert contents[:20] == struct.pack("<IIIQ", 2, 2, 7, M)
    assert contents[20:] == b"".join(run(expected[s * M : (s + 1) * M], s * M) for s in range(64))


def test_filters_are_read_as_the_page_says(kind):
    keys = [key_of(kind, i) for i in range(4)]
    empty = block(1, header(kind, 0))
    table = with_filter(kind, MINIMUM)
    parts = [block(3, waiting({k: 4}, 2)) for k in keys[:2]]
    table.deserialize(complete([empty, *parts, block(2, b"")], 0))
    table.find_or_insert(Batch(keys))
    assert table.find(Batch(keys))[1].tolist() == [True, True, False, False]
    counters = counters_of({keys[0]: 299, keys[1]: 298})
    table = with_filter(kind, BLOOM)
    cut = 5 * M + 100  # blocks need not end with a part
    # In any order, and several in a block.
    parts = [bloom(counters[cut:-1], cut), bloom(counters[:cut]) + run(counters[-1:], 64 * M - 1)]
    table.deserialize(complete([empty, *(block(3, part) for part in parts)], 0))
    table.find_or_insert(Batch(keys))
    assert table.find(Batch(keys))[1].tolist() == [True, False, False, False]


@pytest.mark.parametrize("rule", [MINIMUM, BLOOM, AdmissionRule()], ids=lambda rule: rule.kind)
def test_a_filter_of_another_shape_is_left_out(kind, rule):
    key = key_of(kind, 0)
    counters = counters_of({key: 299})
    others = [
        bloom(counters.astype(np.uint8), width=1),
        bloom(counters, h=6),
        bloom(np.tile(counters, 2), m=2 * M),
    ]
    others += [waiting({key: 299})] * (rule is BLOOM) + [bloom(counters)] * (rule is not BLOOM)
    for other in others:
        table = with_filter(kind, rule)
        row = record(key_of(kind, 1), [1, 2], [3, 4])
        state = [block(1, header(kind)), block(2, row), block(3, other)]
        table.deserialize(complete(state, 1))
        assert table.size() == 1
        assert table.stats()["waiting"] == 0
        table.find_or_insert(Batch([key]))
        assert table.size() == (2 if rule.kind == "everything" else 1)


def test_damaged_filters_are_refused(kind):
    key, other = key_of(kind, 0), key_of(kind, 1)
    counters = counters_of({key: 299})
    half = 32 * M
    bad: list[list[bytes]] = [
        [b""], [struct.pack("<I", 0)], [struct.pack("<I", 3)], [waiting({key: 1})[:-1]],
        [waiting({key: 1}, 2)], [waiting({key: 1}, 0)], [waiting({key: 1}), waiting({other: 1})],
        [bloom(counters)[:-1]], [bloom(counters) + b"\0"], [bloom(counters[:half])],
        [bloom(counters[half + 1 :], half + 1), bloom(counters[:half])],
        [bloom(counters[half - 1 :], half - 1), bloom(counters[:half])],
        [bloom(counters[:0]), bloom(counters)],
        [bloom(counters[:half]), bloom(counters[:half])], [bloom(counters), bloom(counters)],
        [bloom(counters, width=3)], [bloom(counters, m=0)], [bloom(counters, m=2**40)],
        [bloom(counters, first=1)], [bloom(counters, first=2**64 - 1)],
        [waiting({key: 1}), bloom(counters)], [bloom(counters[:half]), waiting({key: 1})],
    ]  # fmt: skip
    twice = [waiting({key: 1}, 2), waiting({key: 1}, 2)]
    for rule, every in ((MINIMUM, [*bad, twice]), (BLOOM, bad)):
        for blocks in every:
            table = with_filter(kind, rule)
            table.find_or_insert(Batch([key_of(kind, 7)]))
            before = table.serialize()
            state = [block(1, header(kind, 0)), *(block(3, one) for one in blocks)]
            with pytest.raises(tf.errors.DataLossError, match="complete and unaltered"):
                table.deserialize(complete(state, 0))
            assert table.serialize() == before


def test_a_key_that_comes_twice_is_refused(table, kind):
    twice = record(key_of(kind, 0), [1, 2], [3, 4]) * 2
    with pytest.raises(tf.errors.DataLossError, match="a key that is there twice"):
        table.deserialize(complete([block(1, header(kind, 2)), block(2, twice)], 2))


def test_a_record_that_ends_early_is_refused(table, kind):
    cut = record(key_of(kind, 0), [1, 2], [3, 4])[:-1]
    with pytest.raises(tf.errors.DataLossError, match="block 1, which ends within a record"):
        table.deserialize(complete([block(1, header(kind, 1)), block(2, cut)], 1))


def test_a_string_longer_than_its_block_is_refused():
    table = CompiledTable(2, "string", RowInitializer(NORMAL, 0.5, 0.25), -5)
    for size in (9, 2**63, 2**64 - 1):
        long = struct.pack("<Q", size) + b"x" * 8
        with pytest.raises(tf.errors.DataLossError, match="ends within a record"):
            table.deserialize(complete([block(1, header("string", 1)), block(2, long)], 1))
