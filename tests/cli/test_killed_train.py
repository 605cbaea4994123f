"""Whenever `recs train` is killed, a run is finished and whole, or is not taken for one."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import keras
import pytest

from recs.experiments import RunFolder

ROOT = pathlib.Path(__file__).parents[2]
CHILD = """
import itertools, sys
from recs_cli import main
for _ in itertools.count():
    main(["train", sys.argv[1], "--runs", sys.argv[2], "--epochs", "1", "--name", "x"])
    print("trained", flush=True)
"""


def hidden(folder):
    return [path for path in folder.rglob(".*") if path.suffix == ".partial" and path.is_dir()]


@pytest.mark.slow
@pytest.mark.parametrize("kills", [60])
def test_runs_outlive_kills(config, tmp_path, kills):
    moments, path = random.Random(5), config()
    for _ in range(kills):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, path, str(tmp_path / "runs")], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip
        with child:
            while child.stdout.readline() != "trained\n":
                assert child.poll() is None
            time.sleep(moments.uniform(0.0, 4.0))
            child.send_signal(signal.SIGKILL)
        assert len(hidden(tmp_path / "runs")) <= 1
        newest = RunFolder.find(tmp_path / "runs" / "x")
        keras.saving.load_model(newest.model)
        for run in (tmp_path / "runs" / "x").iterdir():
            if not RunFolder(run).is_finished:
                with pytest.raises(FileNotFoundError, match="unfinished"):
                    RunFolder.find(run)
        RunFolder.create(tmp_path / "runs" / "x").discard()
        assert hidden(tmp_path / "runs") == []
