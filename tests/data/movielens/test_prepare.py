import logging
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow_datasets as tfds

from recs.data import movielens
from recs.data.movielens.prepare import prepared

# The movies are the smaller half: a second to prepare. Any connection is an error.
SCRIPT = """
import socket, sys
def refuse(*args, **kwargs):
    raise SystemExit("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
import tensorflow_datasets as tfds
from recs.data.movielens.prepare import prepared
tfds.builder("movielens")
print("ready", flush=True)
sys.stdin.readline()
builder = prepared("latest-small", "movies", sys.argv[1], None)
print(builder.info.splits["train"].num_examples)
"""


def test_two_processes_prepare_once_without_network(tmp_path):
    pipe = subprocess.PIPE
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, tmp_path],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:  # Both have imported TensorFlow before either begins.
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    texts = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], texts
    assert [out for out, _ in texts] == ["9742\n"] * 2
    assert sum("Preparing movielens/latest-small-movies" in err for _, err in texts) == 1
    assert all("Generating" not in err for _, err in texts)  # No progress bars.
    left = [path.name for path in (tmp_path / "movielens/latest-small-movies").iterdir()]
    assert left == ["0.1.1"]


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
