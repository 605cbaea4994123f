"""Files of tables whose checksums are right and whose contents are not of any table."""

from __future__ import annotations

import os
import pathlib
import struct
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from recs.layers import DynamicEmbedding
from recs.ops.table import Table
from tests.ops.state_files import block, complete, header, manifest, record

REFUSALS = (
    tf.errors.DataLossError,
    tf.errors.UnavailableError,
    tf.errors.InvalidArgumentError,  # a state where a delta is wanted
)
LIFE = bytes(range(1, 17))
HEADERS: dict[str, dict[str, Any]] = {
    "an optimizer that is no UTF-8": {"optimizer": b"\xff\xfe"},
    "an optimizer with a line in its name": {"optimizer": b"adagrad\n"},
    "an optimizer of a long name": {"optimizer": b"a" * 65},
    "a hyperparameter that is no name": {"told": {"learning rate": 0.1}},
    "steps below zero": {"step": -1},
    "the least step": {"step": -(2**63)},
    "the largest step": {"step": 2**63 - 1},
    "rows below zero": {"records": -1},
    "an epoch that no table reaches": {"what": 1, "life": LIFE, "epoch": 2**64 - 1},
    "a base without a cursor": {"what": 1},
    "more slots than any optimizer has": {"slots": 2**31 - 1},
    "slots below zero": {"slots": -1},
    "no dimension": {"dim": 0},
    "a storage that is none": {"storage": 3},
}


@pytest.fixture
def table() -> Table:
    layer = DynamicEmbedding(2)
    layer.table.upsert([7], [[1.0, 2.0]])
    return layer.table


def state(**changed: Any) -> bytes:
    blocks = [block(1, header("int64", **changed)), block(2, record(5, [1.0, 2.0], [0.1, 0.1]))]
    return file_of(complete(blocks, 1))


def file_of(blocks: list[bytes]) -> bytes:
    return b"".join(struct.pack("<Q", len(one)) + one for one in blocks) + struct.pack("<Q", 0)


def refuses(table: Table, path: pathlib.Path) -> None:
    before = table.stats()
    for read in (table.restore, lambda p: table.restore(p, merge=True), table.apply):
        with pytest.raises(REFUSALS):
            read(path)
    assert table.stats() == before
    assert table.lookup([7]).tolist() == [[1.0, 2.0]]


def test_the_file_is_good_without_the_change(table: Table, tmp_path: pathlib.Path) -> None:
    (tmp_path / "state").write_bytes(state())
    table.restore(tmp_path / "state")
    assert table.export()[0].tolist() == [5]
    assert table.stats()["optimizer"] == "adagrad"


@pytest.mark.parametrize("case", HEADERS)
def test_headers_of_no_table_are_refused(case: str, table: Table, tmp_path: pathlib.Path) -> None:
    (tmp_path / "state").write_bytes(state(**HEADERS[case]))
    refuses(table, tmp_path / "state")


@pytest.mark.parametrize("since", [0, 2**32, 2**64 - 2])
def test_a_delta_with_a_cursor_of_no_table_is_refused(since: int, tmp_path: pathlib.Path) -> None:
    leader, follower = DynamicEmbedding(2).table, DynamicEmbedding(2).table
    leader.upsert([7], [[1.0, 2.0]])
    cursor = leader.save_delta(tmp_path / "base")
    follower.restore(tmp_path / "base")
    changed = {"life": bytes.fromhex(cursor.life), "since": since, "epoch": 2**64 - 1}
    blocks = [block(1, header("int64", what=2, optimizer=b"", slots=0, initial=0.0, **changed))]
    (tmp_path / "delta").write_bytes(file_of([*blocks, manifest(blocks, 0)]))
    with pytest.raises(tf.errors.DataLossError):
        follower.apply(tmp_path / "delta")
    assert follower.follows() == cursor


@pytest.mark.parametrize("kind", [0, 1, 2, 6, 7])
def test_a_block_of_holes_is_not_believed(kind: int, table: Table, tmp_path: pathlib.Path) -> None:
    """A sparse file says that it has 8 GiB, and takes no room on the disk."""
    path = tmp_path / "sparse"
    first = block(1, header("int64"))
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(first)) + first)
        file.write(struct.pack("<QI", 8 << 30, kind))
        file.truncate(file.tell() + (8 << 30) + 8)
    refuses(table, path)


def test_only_files_are_read(table: Table, tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "empty").write_bytes(b"")
    for name in ("pipe", "folder", "loop", "empty", "missing"):
        refuses(table, tmp_path / name)
    for device in ("/dev/zero", "/dev/null"):
        refuses(table, pathlib.Path(device))


def test_only_files_are_written(table: Table, tmp_path: pathlib.Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(tf.errors.UnavailableError):
        table.save(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_leftovers_that_nobody_writes_go_with_the_next_save(
    table: Table, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "state.partial.1.0").write_bytes(b"of a process that is gone")
    (tmp_path / "other.partial.999999999.17").write_bytes(b"of a process that is gone")
    mine = ["notes.partial.txt", "a.partial.1", "b.partial.1.2.3", "c.partial..1"]
    for name in mine:
        (tmp_path / name).write_bytes(b"no save's")
    (tmp_path / "d.partial.1.1").mkdir()
    (tmp_path / "e.partial.1.1").symlink_to(tmp_path / "notes.partial.txt")
    table.save(tmp_path / "state")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {*mine, "state", "d.partial.1.1", "e.partial.1.1"}


def test_a_save_under_way_keeps_its_file(table: Table, tmp_path: pathlib.Path) -> None:
    other = DynamicEmbedding(2).table
    other.upsert(np.arange(1000), np.ones((1000, 2)))
    running = other.save(tmp_path / "other", background=True)
    for _ in range(20):
        table.save(tmp_path / "state")
    running.wait()
    again = DynamicEmbedding(2).table
    again.restore(tmp_path / "other")
    assert again.size() == 1000
