"""Saves beside training, and saves that cannot be: the state of the moment, or the old file."""

from __future__ import annotations

import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import tensorflow as tf

from recs.ops.row_initializer import CONSTANT, RowInitializer
from recs.ops.table import Table
from tests.harness.new_process import run_code

ROOT = pathlib.Path(__file__).parents[2]


def new(dim: int = 8) -> Table:
    return Table(dim, "int64", RowInitializer(CONSTANT, 0.5), 3, name="tested")


def fill(table: Table, rows: int, value: float) -> None:
    table.upsert(np.arange(rows), np.full((rows, table.dim), value, np.float32))


def test_a_save_in_the_background_is_of_its_moment(tmp_path):
    table = new(64)
    fill(table, 50_000, 1.0)
    save = table.save(tmp_path / "state", background=True)
    assert save.step == 0
    for value in (2.0, 3.0):
        fill(table, 60_000, value)
    save.wait()
    assert save.done()
    save.wait()  # as often as one likes
    copy = new(64)
    copy.restore(tmp_path / "state")
    ids, rows = copy.export()
    assert len(ids) == 50_000
    np.testing.assert_array_equal(rows, 1.0)
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_saves_take_turns_and_the_interpreter_goes_on(tmp_path):
    table = new(64)
    fill(table, 100_000, 1.0)
    saves = [table.save(tmp_path / f"{i}", background=True) for i in range(3)]
    table.save(tmp_path / "3")
    table.clear()  # waits for all
    assert table.size() == 0
    for save in saves:
        save.wait()
    sizes = {p.stat().st_size for p in tmp_path.iterdir()}
    assert len(sizes) == 1
    # A thread of Python runs while the op does.
    fill(table, 100_000, 1.0)
    ticks, stop = [0], threading.Event()

    def tick() -> None:
        while not stop.is_set():
            ticks[0] += 1

    thread = threading.Thread(target=tick)
    thread.start()
    before = ticks[0]
    table.save(tmp_path / "state")
    during = ticks[0] - before
    stop.set()
    thread.join()
    assert during > 100


def test_a_table_outlives_its_last_name_until_it_is_saved(tmp_path):
    table = new(64)
    fill(table, 50_000, 7.0)
    save = table.save(tmp_path / "state", background=True)
    del table
    save.wait()
    copy = new(64)
    copy.restore(tmp_path / "state")
    assert copy.size() == 50_000


@pytest.mark.parametrize("background", [False, True])
def test_a_path_that_cannot_be_written_is_refused_at_once(tmp_path, background):
    table = new()
    fill(table, 100, 1.0)
    with pytest.raises(tf.errors.UnavailableError, match="must be writable"):
        table.save(tmp_path / "no folder" / "state", background=background)
    fill(table, 200, 2.0)
    table.clear()  # no save is left that it would wait for


FULL = """
    import resource, signal
    import numpy as np
    import tensorflow as tf
    from tests.ops.test_background_save import fill, new
    table = new()
    fill(table, 100, 1.0)
    table.save({path!r})
    fill(table, 200_000, 2.0)
    if {limited}:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, -1))
    save = table.save({path!r}, background=True)
    for step in range(20):
        fill(table, 200_000, 3.0 + step)  # training goes on
    for attempt in (save.wait, lambda: table.save({path!r}), lambda: table.save_delta({path!r})):
        try:
            attempt()
        except tf.errors.UnavailableError as error:
            assert "must be writable" in error.message, error.message
            assert "What was at the path before is unchanged." in error.message
        else:
            raise AssertionError("it was written")
    assert table.size() == 200_000
    table.restore({path!r})
    assert table.size() == 100
    np.testing.assert_array_equal(table.lookup([5]), 1.0)
"""


ON_A_SMALL_DISK = 'mount -t tmpfs -o size=4m tmpfs "$1" && shift && exec "$@"'


def test_a_limit_on_the_length_of_files_leaves_the_old_file_and_the_table(tmp_path):
    run_code(textwrap.dedent(FULL.format(path=str(tmp_path / "state"), limited=True)))
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file_and_the_table(tmp_path):
    # Namespaces of its own let the process mount a disk, where the machine allows them.
    namespaces = ("unshare", "--user", "--map-root-user", "--mount")
    if not shutil.which("unshare") or subprocess.run([*namespaces, "true"], check=False).returncode:
        pytest.skip("a small disk is mounted in namespaces, which this machine does not allow")
    code = textwrap.dedent(FULL.format(path=str(tmp_path / "state"), limited=False))
    mounted = ("sh", "-ec", ON_A_SMALL_DISK, "sh", str(tmp_path))
    command = [*namespaces, *mounted, sys.executable, "-c", code]
    subprocess.run(command, check=True, cwd=ROOT)


KILLED = """
    import itertools
    from tests.ops.test_background_save import fill, new
    table = new(32)
    for number in itertools.count(1):
        fill(table, 20_000, number)
        save = table.save({path!r}, background=True)
        fill(table, 20_000, number + 0.5)
        save.wait()
        print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kills", [10])
def test_a_killed_process_leaves_the_last_complete_state(tmp_path, rng, kills):
    """Hundreds of kills are in tests/cc/crash.cc; here the whole way through Python is killed."""
    path = tmp_path / "state"
    code = textwrap.dedent(KILLED.format(path=str(path)))
    for _ in range(kills):
        path.unlink(missing_ok=True)
        with subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            last = int(process.stdout.readline())
            threading.Timer(
                rng.uniform(0.0, 0.5), lambda p=process: p.send_signal(signal.SIGKILL)
            ).start()
            for line in process.stdout:
                last = int(line)
        table = new(32)
        table.restore(path)
        _, rows = table.export()
        assert len(rows) == 20_000
        assert len(np.unique(rows)) == 1
        assert rows[0, 0] in (last, last + 1)


@pytest.mark.slow
def test_a_thousand_flips_and_cuts_are_told(tmp_path, rng):
    table = new()
    fill(table, 3_000, 1.0)
    table.save(tmp_path / "state")
    whole = (tmp_path / "state").read_bytes()
    other = new()
    fill(other, 5, 2.0)
    before = other.serialize().numpy().tolist()
    for i, at in enumerate(rng.integers(0, len(whole), 1000)):
        altered = bytearray(whole)
        if i % 2 == 0:
            altered[at] ^= 1 << int(rng.integers(8))
        else:
            del altered[at:]
        (tmp_path / "state").write_bytes(bytes(altered))
        with pytest.raises(tf.errors.DataLossError, match="complete and unaltered"):
            other.restore(tmp_path / "state")
    assert other.serialize().numpy().tolist() == before
