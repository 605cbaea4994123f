"""The bytes of saved tables as docs/formats/table.md says, read and written without the engine."""

from __future__ import annotations

import dataclasses
import struct
from typing import Any

import numpy as np

HEADER = struct.Struct("<8sIIIIiIiiIIIffIQqq16sQQ")
FIELDS = (
    *("magic", "version", "order", "what", "key_type", "dim", "storage", "slots", "scalars"),
    *("with_slots", "slots_reset", "initializer", "a", "b", "newest_time", "seed", "step"),
    *("records", "life", "since", "epoch"),
)
STORED = (np.dtype("<f4"), None, np.dtype("<f2"))  # bfloat16 is the upper half of a float32


def _mix(x: int) -> int:
    x = (x ^ x >> 32) * 0x9E6C63D0876A3F6B % 2**64
    x = (x ^ x >> 29) * 0xD6E8FEB86659FD93 % 2**64
    return x ^ x >> 32


def checksum(data: bytes) -> int:
    states = [_mix((0x632BE59BD9B4E019 + len(data) + lane) % 2**64) for lane in range(4)]
    groups = len(data) // 32
    words = np.frombuffer(data[: 32 * groups], "<u8").tolist()
    for lane in range(4):
        state = states[lane]
        for word in words[lane::4]:
            product = (state ^ word) * 0x9E6C63D0876A3F6B % 2**64
            state = (product << 29 | product >> 35) % 2**64
        states[lane] = state
    state = 0
    for of_lane in states:
        state = _mix(state ^ of_lane)
    rest = data[32 * groups :]
    for at in range(0, len(rest) - 7, 8):
        state = _mix(state ^ int.from_bytes(rest[at : at + 8], "little"))
    tail = int.from_bytes(rest[len(rest) // 8 * 8 :], "little")
    return _mix(state ^ tail ^ 0x2545F4914F6CDD1D)


def a_string(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


def a_key(key: int | bytes) -> bytes:
    return struct.pack("<q", key) if isinstance(key, int) else a_string(key)


def block(kind: int, contents: bytes) -> bytes:
    body = struct.pack("<I", kind) + contents
    return body + struct.pack("<Q", checksum(body))


def header(kind: str, records: int = 1, **changed: Any) -> bytes:
    fields = {
        "magic": b"RECSTAB\0", "version": 1, "order": 0x01020304, "what": 0,
        "key_type": 1 if kind == "int64" else 2, "dim": 2, "storage": 0, "slots": 1,
        "scalars": 0, "with_slots": 1, "slots_reset": 0, "initializer": 2,
        "a": 0.5, "b": 0.25, "newest_time": 0, "seed": 2**64 - 5, "step": 7, "records": records,
        "life": bytes(16), "since": 0, "epoch": 0,
        "optimizer": b"adagrad", "initial": 0.125, "told": {}, **changed,
    }  # fmt: skip
    optimizer, initial, told = (fields.pop(name) for name in ("optimizer", "initial", "told"))
    packed = HEADER.pack(*(fields[name] for name in FIELDS)) + a_string(optimizer)
    packed += struct.pack("<f", initial) + struct.pack("<I", len(told))
    return packed + b"".join(
        a_string(name.encode()) + struct.pack("<f", v) for name, v in told.items()
    )


def record(
    key: int | bytes,
    row: list[float],
    slots: list[float],
    count: int = 0,
    step: int = 0,
    time: int = 0,
) -> bytes:
    return a_key(key) + struct.pack(f"<3I{2 + len(slots)}f", count, step, time, *row, *slots)


def manifest(blocks: list[bytes], records: int, removals: int = 0) -> bytes:
    of_all = checksum(b"".join(one[-8:] for one in blocks))
    return block(6, struct.pack("<QqqQ", len(blocks), records, removals, of_all))


def complete(blocks: list[bytes], records: int, removals: int = 0) -> list[bytes]:
    """Returns a state's blocks with their manifest."""
    return [*blocks, manifest(blocks, records, removals)]


def blocks_of(file: bytes) -> list[bytes]:
    blocks, at = [], 0
    while True:
        (size,) = struct.unpack_from("<Q", file, at)
        at += 8
        if size == 0:
            assert at == len(file)
            return blocks
        blocks.append(file[at : at + size])
        at += size


def contents_of(one: bytes, kind: int) -> bytes:
    assert struct.unpack("<Q", one[-8:])[0] == checksum(one[:-8])
    assert struct.unpack_from("<I", one)[0] == kind
    return one[4:-8]


@dataclasses.dataclass
class Record:
    count: int
    step: int
    time: int
    row: list[float]
    slots: list[float]


@dataclasses.dataclass
class State:
    """A saved state, by what the page says and nothing else."""

    header: dict[str, Any]
    records: dict[int | bytes, Record] = dataclasses.field(default_factory=dict)
    removed: list[int | bytes] = dataclasses.field(default_factory=list)
    waiting: dict[int | bytes, int] = dataclasses.field(default_factory=dict)
    counters: np.ndarray | None = None
    counter_shape: tuple[int, int, int] | None = None
    initial_rows: np.ndarray | None = None


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def take(self, size: int) -> bytes:
        assert self.at + size <= len(self.data)
        self.at += size
        return self.data[self.at - size : self.at]

    def unpack(self, form: str) -> tuple[Any, ...]:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def string(self) -> bytes:
        return self.take(self.unpack("Q")[0])

    def floats(self, count: int, storage: int = 0) -> list[float]:
        if storage == 1:
            halves = np.frombuffer(self.take(2 * count), "<u2").astype(np.uint32)
            return (halves << 16).view(np.float32).tolist()
        stored = STORED[storage]
        return np.frombuffer(self.take(stored.itemsize * count), stored).astype(float).tolist()


def read(file: bytes) -> State:
    """Returns what a file holds, and asserts that it is as the page says."""
    blocks = blocks_of(file)
    state = State(_header(contents_of(blocks[0], 1)))
    for one in blocks[1:-1]:
        kind = struct.unpack_from("<I", one)[0]
        _READERS[kind](Bytes(contents_of(one, kind)), state)
    assert blocks[-1] == manifest(blocks[:-1], len(state.records), len(state.removed))
    if state.header["what"] != 2:
        assert state.header["records"] == len(state.records)
    return state


def _header(contents: bytes) -> dict[str, Any]:
    data = Bytes(contents)
    fields = dict(zip(FIELDS, HEADER.unpack(data.take(HEADER.size)), strict=True))
    assert (fields["magic"], fields["version"]) == (b"RECSTAB\0", 1)
    fields["optimizer"] = data.string()
    fields["initial"] = data.floats(fields["slots"] + fields["scalars"])
    fields["told"] = {data.string().decode(): data.unpack("f")[0] for _ in range(*data.unpack("I"))}
    assert not data
    return fields


def _key(data: Bytes, state: State) -> int | bytes:
    return data.unpack("q")[0] if state.header["key_type"] == 1 else data.string()


def _records(data: Bytes, state: State) -> None:
    head = state.header
    slots = head["with_slots"] * (head["dim"] * head["slots"] + head["scalars"])
    while data:
        key, counts = _key(data, state), data.unpack("3I")
        assert key not in state.records
        row = data.floats(head["dim"], head["storage"])
        state.records[key] = Record(*counts, row, data.floats(slots))


def _filter(data: Bytes, state: State) -> None:
    if data.unpack("I") == (1,):
        data.unpack("Q")
        while data:
            key = _key(data, state)
            state.waiting[key] = data.unpack("I")[0]
        return
    state.counter_shape = data.unpack("IIQ")
    width, _, of_part = state.counter_shape
    if state.counters is None:
        state.counters = np.zeros(64 * of_part, f"<u{width}")
    while data:
        first, count = data.unpack("QQ")
        state.counters[first : first + count] = np.frombuffer(
            data.take(width * count), f"<u{width}"
        )


def _initial_rows(data: Bytes, state: State) -> None:
    rows = np.frombuffer(data.take(len(data.data)), "<f4")
    state.initial_rows = rows.reshape(-1, state.header["dim"])


def _removed(data: Bytes, state: State) -> None:
    while data:
        state.removed.append(_key(data, state))


_READERS = {2: _records, 3: _filter, 4: _initial_rows, 5: _removed}
