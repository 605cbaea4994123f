"""A table's state in a file and in blocks: exact, or refused with the table as it was."""

from __future__ import annotations

import pathlib
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from recs.ops.admission_rule import AdmissionRule
from recs.ops.eviction_rule import EvictionRule
from recs.ops.reference import Batch
from recs.ops.row_initializer import UNIFORM, RowInitializer
from recs.ops.table import Table
from tests.harness.new_process import run_code
from tests.ops.compiled import CompiledTable
from tests.ops.conftest import key_of

INITIALIZER = RowInitializer(UNIFORM, -1.0, 1.0)
ADAM = ("adam", (0.9, 0.999, 0.1, 0.001, 1e-7))


def new(kind: str, dim: int = 3, seed: int = 3) -> CompiledTable:
    return CompiledTable(dim, kind, INITIALIZER, seed)


def train(table: CompiledTable, numbers: range, kind: str) -> None:
    """Steps whose gradients depend on the step's number, so that a lost step shows."""
    batch = Batch([key_of(kind, i) for i in numbers])
    for _ in range(3):
        step = int(table.stats()["step"])
        gradient = np.full((len(numbers), table.dim), 1.0 + step, np.float32)
        table.add_gradient(table.find_or_insert(batch), gradient)
        table.commit(*ADAM, learning_rate=0.1, step=step)


def contents(table: CompiledTable) -> dict[int | bytes, list[float]]:
    return {key: row.tolist() for key, row in table.export().items()}


@pytest.mark.parametrize("way", ["file", "blocks"])
def test_training_goes_on_equally_after_a_restore(kind, tmp_path, way):
    table = new(kind)
    train(table, range(100), kind)
    other = new(kind, seed=99)  # its own seed, rows and slots give way
    train(other, range(50, 150), kind)
    if way == "file":
        table.table.save(tmp_path / "state")
        other.table.restore(tmp_path / "state")
    else:
        other.deserialize(table.serialize())
    assert contents(other) == contents(table)
    counts = ("rows", "step", "slots", "optimizer")
    assert [other.stats()[c] for c in counts] == [table.stats()[c] for c in counts]
    for one in (table, other):
        train(one, range(60, 200), kind)  # old rows and new ones
    assert contents(other) == contents(table)


def test_a_restore_into_a_smaller_bound_keeps_the_most_recent(kind):
    table = new(kind)
    train(table, range(30), kind)
    train(table, range(10, 20), kind)
    small = CompiledTable(3, kind, INITIALIZER, 3, eviction=EvictionRule(max_rows=10))
    small.deserialize(table.serialize())
    assert small.export().keys() == {key_of(kind, i) for i in range(10, 20)}
    stats = small.stats()
    assert (stats["evictions"], stats["unlogged_evictions"]) == (20, 20)
    assert small.evicted_keys() == []


@pytest.mark.parametrize(
    "admission",
    [
        AdmissionRule("minimum_count", count=4),
        AdmissionRule("counting_bloom_filter", 4, 1000, 0.01),
        AdmissionRule("probability", rate=0.1),
    ],
    ids=lambda rule: rule.kind,
)
def test_admission_goes_on_equally_after_a_restore(kind, tmp_path, admission):
    table = CompiledTable(3, kind, INITIALIZER, 3, admission=admission)
    batches = [Batch([key_of(kind, i) for i in range(n, 100 + n)]) for n in (0, 30, 60)]
    for batch in batches:
        table.find_or_insert(batch)
    table.table.save(tmp_path / "state")
    other = CompiledTable(3, kind, INITIALIZER, 99, admission=admission)  # another seed
    other.find_or_insert(Batch([key_of(kind, 7)] * 3))
    other.table.restore(tmp_path / "state")
    for one in (table, other):
        for batch in batches:
            one.find_or_insert(batch)
    assert contents(other) == contents(table)
    assert 0 < table.size() < 160
    assert other.stats()["waiting"] == table.stats()["waiting"]


def test_a_file_is_read_in_a_new_process(kind, tmp_path):
    table = new(kind)
    train(table, range(20), kind)
    table.table.save(tmp_path / "state")
    np.save(tmp_path / "expected", [row for _, row in sorted(table.export().items())])
    table.clear()  # nothing of it can help
    code = f"""
        import numpy as np
        from tests.ops.test_snapshot import new
        table = new({kind!r}, seed=99)
        table.table.restore({str(tmp_path / "state")!r})
        rows = [row for _, row in sorted(table.export().items())]
        np.testing.assert_array_equal(rows, np.load({str(tmp_path / "expected.npy")!r}))
    """
    run_code(textwrap.dedent(code))


def test_an_empty_table_is_a_state_too(kind, tmp_path):
    new(kind).table.save(tmp_path / "state")
    table = new(kind)
    train(table, range(5), kind)
    table.table.restore(tmp_path / "state")
    assert table.size() == 0
    assert table.stats()["step"] == 0
    assert table.stats()["optimizer"] == ""


def test_saving_twice_gives_the_same_bytes_and_no_other_files(kind, tmp_path):
    table = new(kind)
    train(table, range(20), kind)
    for name in ("a", "b", "b"):
        table.table.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def refused(table: CompiledTable, path: pathlib.Path, error: type[Exception]) -> str:
    """Restores from `path`, which must fail and change nothing; returns the message."""
    before = table.serialize(), table.stats()
    with pytest.raises(error) as caught:
        table.table.restore(path)
    assert (table.serialize(), table.stats()) == before
    return str(caught.value)


def test_a_state_of_another_dimension_is_refused(kind, tmp_path):
    new(kind, dim=4).table.save(tmp_path / "state")
    table = new(kind)
    train(table, range(5), kind)
    message = refused(table, tmp_path / "state", tf.errors.InvalidArgumentError)
    assert (
        "`output_dim` must be that of the saved table. Received: output_dim=3, saved: 4" in message
    )
    assert f"(in table 'tested', {tmp_path}/state). Build the layer with the saved dim" in message


def test_a_state_of_another_key_type_is_refused(kind, tmp_path):
    other = {"int64": "string", "string": "int64"}[kind]
    new(other).table.save(tmp_path / "state")
    table = new(kind)
    train(table, range(5), kind)
    message = refused(table, tmp_path / "state", tf.errors.InvalidArgumentError)
    assert (
        f"`key_dtype` must be that of the saved table. Received: {kind}, saved: {other}" in message
    )


def test_a_cut_file_is_refused(kind, tmp_path):
    table, path = new(kind), tmp_path / "state"
    train(table, range(20), kind)
    table.table.save(path)
    whole = path.read_bytes()
    for size in [*range(0, 120, 7), *range(120, len(whole), 61), len(whole) - 1]:
        path.write_bytes(whole[:size])
        message = refused(table, path, tf.errors.DataLossError)
        assert "must be complete and unaltered. Received: a file that ends too early" in message
        assert (
            f"(in {path}). Restore from an earlier copy; the table was left as it was." in message
        )
    path.write_bytes(whole + b"\0")
    refused(table, path, tf.errors.DataLossError)


def test_a_flipped_bit_anywhere_is_refused(kind, tmp_path, rng):
    table, path = new(kind), tmp_path / "state"
    train(table, range(20), kind)
    table.table.save(path)
    whole = path.read_bytes()
    for at in [*range(0, 140, 3), *rng.integers(140, len(whole), 150), len(whole) - 1]:
        altered = bytearray(whole)
        altered[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(altered))
        assert "must be complete and unaltered" in refused(table, path, tf.errors.DataLossError)


@pytest.mark.parametrize(
    "foreign", [b"", b"\0" * 8, b"\0" * 4096, b"PK\x03\x04" + b"x" * 2000, b"movieId,title\n" * 99]
)
def test_a_foreign_file_is_refused(kind, tmp_path, foreign):
    table, path = new(kind), tmp_path / "state"
    train(table, range(5), kind)
    path.write_bytes(foreign)
    assert str(path) in refused(table, path, tf.errors.DataLossError)


def test_lost_repeated_and_swapped_blocks_are_refused(kind):
    table = CompiledTable(600, kind, INITIALIZER, 3)
    ordinary = range(100, 900)
    train(table, ordinary, kind)
    blocks = table.serialize()
    assert len(blocks) > 5
    for altered in (
        [blocks[0], *reversed(blocks[1:-1]), blocks[-1]],
        [],
        blocks[:-1],
        blocks[1:],
        [*blocks, blocks[-1]],
        [*blocks[:1], blocks[1], blocks[1], *blocks[3:]],
        [blocks[0], blocks[0], *blocks[2:]],
    ):
        before = contents(table)
        with pytest.raises(tf.errors.DataLossError, match="complete and unaltered"):
            table.deserialize(altered)
        assert contents(table) == before
    table.deserialize(blocks)
    assert contents(table) == before


def test_a_path_that_is_not_there_is_refused(kind, tmp_path):
    table = new(kind)
    message = refused(table, tmp_path / "nothing", tf.errors.UnavailableError)
    assert f"must be readable. Received: '{tmp_path}/nothing': No such file" in message


@pytest.mark.parametrize("folder", ["nothing", "file", "/proc"])  # the last one also for root
def test_a_folder_that_cannot_be_written_is_refused(kind, tmp_path, folder):
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / folder / "state"
    with pytest.raises(tf.errors.UnavailableError) as caught:
        new(kind).table.save(path)
    assert f"must be writable. Received: '{path}', opening: " in str(caught.value)
    assert "What was at the path before is unchanged." in str(caught.value)


def test_a_failed_save_leaves_the_old_file(kind, tmp_path):
    """Renaming fails at the very end: the name is taken by a folder."""
    (tmp_path / "state").mkdir()
    with pytest.raises(tf.errors.UnavailableError, match="renaming"):
        new(kind).table.save(tmp_path / "state")
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_a_checkpoint_holds_the_table(kind, tmp_path):
    table, other = new(kind), new(kind, seed=99)
    train(table, range(50), kind)
    saved = tf.train.Checkpoint(table=table.table).save(str(tmp_path / "checkpoint"))
    expected = contents(table)
    table.clear()
    tf.train.Checkpoint(table=other.table).restore(saved).assert_consumed()
    assert contents(other) == expected


def test_tables_are_told_apart_by_identity():
    tables = [Table(2, "int64", INITIALIZER, seed=1, name="same") for _ in range(2)]
    tables[0].upsert([1], [[1.0, 2.0]])
    assert [t.size() for t in tables] == [1, 0]
