"""The bytes of a saved record table as docs/formats/table.md says, without the engine."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tensorflow as tf

from recs.ops.record_table import RecordTable
from tests.ops.state_files import HEADER, block, complete, contents_of

WIDTH, CAPACITY = 2, 3
WORDS = 1 + CAPACITY * (1 + WIDTH)


def header(records: int, step: int = 0, newest: int = 0) -> bytes:
    packed = HEADER.pack(
        b"RECSTAB\0", 1, 0x01020304, 0, 1, WORDS, 0, 0, 0, 1, 0, 5, CAPACITY, WIDTH, newest,
        0, step, records, bytes(16), 0, 0,
    )  # fmt: skip
    return packed + struct.pack("<QI", 0, 0)  # no optimizer


def ring(written: int, times: list[int], records: list[float]) -> bytes:
    return struct.pack("<I3I6f", written, *times, *records)


def record(key: int, count: int, time: int, contents: bytes) -> bytes:
    return struct.pack("<q3I", key, count, 0, time) + contents


def test_what_is_written_is_what_the_page_says():
    table = RecordTable(WIDTH, CAPACITY)
    values = np.arange(8.0).reshape(4, 2)
    table.append([7, 7, 7, 7], values, timestamps=[10, 40, 20, 30])
    blocks = table.serialize().numpy().tolist()
    assert contents_of(blocks[0], 1) == header(1, step=1, newest=40)
    expected = record(7, 4, 40, ring(4, [30, 40, 20], [6, 7, 2, 3, 4, 5]))
    assert contents_of(blocks[1], 2) == expected


@pytest.mark.parametrize("written", [2, 3, 5, 2**31 - 2, 2**31 - 1, 2**31])
def test_what_the_page_says_is_read_and_goes_on(written):
    table = RecordTable(WIDTH, CAPACITY)
    times, values = [0] * 3, [0.0] * 6
    last = range(max(0, written - CAPACITY), written)
    for n in last:
        times[n % CAPACITY] = n
        values[2 * (n % CAPACITY)] = n % 1000
    state = [block(1, header(1)), block(2, record(7, 0, 0, ring(written, times, values)))]
    table.deserialize(complete(state, 1))
    found = table.recent([7])
    assert found.times[0, : len(last)].numpy().tolist() == list(last)
    assert found.records[0, : len(last), 0].numpy().tolist() == [n % 1000 for n in last]
    # Beyond what the count holds, one by one and many at once.
    for more in (1, 1, 1, 2, 7, 1):
        times_of_more = np.arange(more) + 5
        table.append([7] * more, np.ones((more, 2)), times_of_more)
        last = [*last, *times_of_more.tolist()][-CAPACITY:]
        assert table.recent([7]).times[0, : len(last)].numpy().tolist() == last
    _, exported = table.export()
    np.testing.assert_array_equal(exported.times[0], last)


def test_a_ring_that_ends_early_is_refused():
    cut = record(7, 0, 0, ring(1, [1, 0, 0], [1, 2, 0, 0, 0, 0]))[:-4]
    with pytest.raises(tf.errors.DataLossError, match="ends within a record"):
        RecordTable(WIDTH, CAPACITY).deserialize(complete([block(1, header(1)), block(2, cut)], 1))
