"""Whenever `recs train` is killed, a run is finished and whole, or is not taken for one."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time

import keras
import pytest

from recs.experiments import RunFolder
from recs_cli import main


def train_again_and_again(config: str, runs: str) -> None:
    for _ in itertools.count():
        main(["train", config, "--runs", runs, "--epochs", "1", "--name", "x"])


def hidden(folder):
    return [path for path in folder.rglob(".*") if path.suffix == ".partial" and path.is_dir()]


@pytest.mark.slow
@pytest.mark.parametrize("kills", [60])
def test_runs_outlive_kills(config, tmp_path, kills, monkeypatch):
    # The server imports recs once; every process that is killed is a fork of it.
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["recs"])
    moments, path, runs = random.Random(5), config(), tmp_path / "runs"
    assert main(["train", path, "--runs", str(runs), "--epochs", "1", "--name", "x"]) == 0
    unfinished = 0
    for _ in range(kills):
        process = context.Process(target=train_again_and_again, args=(path, str(runs)))
        process.start()
        time.sleep(moments.uniform(0.5, 5.0))
        process.kill()
        process.join()
        assert len(hidden(runs)) <= 1
        newest = RunFolder.find(runs / "x")
        keras.saving.load_model(newest.model)
        for run in (runs / "x").iterdir():
            if not RunFolder(run).is_finished:
                unfinished += 1
                with pytest.raises(FileNotFoundError, match="unfinished"):
                    RunFolder.find(run)
        RunFolder.create(runs / "x").discard()
        assert hidden(runs) == []
    assert unfinished
    assert len(list((runs / "x").iterdir())) > kills // 2
