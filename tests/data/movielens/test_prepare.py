import concurrent.futures
import functools
import logging
import os
import pathlib

import pytest
import tensorflow_datasets as tfds

from recs.data import movielens
from recs.data.movielens.prepare import prepared
from tests.harness.new_process import run_code

# The movies are the smaller half: a second to prepare. Any connection is an error.
SCRIPT = """
import socket, sys
def refuse(*args, **kwargs):
    raise SystemExit("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
import tensorflow_datasets as tfds
from recs.data.movielens.prepare import prepared
sys.stderr = sys.stdout
tfds.builder("movielens")
builder = prepared("latest-small", "movies", sys.argv[1], None)
print(builder.info.splits["train"].num_examples)
"""


def test_two_processes_prepare_once_without_network(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        outputs = list(pool.map(functools.partial(run_code, SCRIPT), [tmp_path] * 2))
    assert [output.split()[-1] for output in outputs] == ["9742"] * 2
    assert sum("Preparing movielens/latest-small-movies" in output for output in outputs) == 1
    assert all("Generating" not in output for output in outputs)  # No progress bars.
    left = [path.name for path in (tmp_path / "movielens/latest-small-movies").iterdir()]
    assert left == ["0.1.1"]


@pytest.mark.slow
def test_progress_bars_come_back(tmp_path, capfd):
    before = tfds.core.utils.tqdm_utils._active
    try:
        for wanted in (False, True):
            tfds.display_progress_bar(wanted)
            prepared("latest-small", "movies", tmp_path / str(wanted), None)
            assert tfds.core.utils.tqdm_utils._active is wanted
    finally:
        tfds.display_progress_bar(before)
    assert "Dataset movielens downloaded" not in capfd.readouterr().out


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()  # As good as a read-only folder, and so also for root.
    with pytest.raises(
        PermissionError, match="`data_dir` must be a folder that can be written"
    ) as caught:
        prepared("latest-small", "movies", tmp_path / "file" / "below", None)
    assert "Not a directory" in str(caught.value)
    assert "Pass `data_dir=` another folder, or set TFDS_DATA_DIR." in str(caught.value)


def test_waiting_is_said(tmp_path, caplog):
    import fcntl
    import threading

    from recs.data.movielens.prepare import _locked

    with (tmp_path / ".recs-movielens.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        threading.Timer(0.2, fcntl.flock, (held, fcntl.LOCK_UN)).start()
        with caplog.at_level(logging.WARNING), _locked(tmp_path):
            pass
    assert f"Another process prepares MovieLens in {tmp_path}: waiting" in caplog.text


def test_the_home_directory_is_expanded(tmp_path, small, movielens_dir, monkeypatch):
    monkeypatch.setenv("HOME", os.fspath(movielens_dir.parent))
    builder = prepared("latest-small", "movies", f"~/{movielens_dir.name}", None)
    assert pathlib.Path(builder.data_dir_root) == movielens_dir
    assert len(movielens.load(data_dir=f"~/{movielens_dir.name}")) == len(small)
