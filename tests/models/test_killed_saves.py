"""Whenever a process is killed, the files of a model are those before or those after, whole."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from recs.files.workspace import WORKSPACE
from tests.models import saving_child

ROOT = pathlib.Path(__file__).parents[2]


def number_in(model):
    ids, rows = model.get_layer("users").table.export()
    assert len(ids) == saving_child.ROWS
    (number,) = np.unique(rows)
    return int(number)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [60])
def test_a_model_and_its_weights_outlive_kills(tmp_path, kills):
    moments, left = random.Random(5), 0
    model = saving_child.model_of()
    saving_child.save(model, tmp_path, 0)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.models.saving_child", str(tmp_path)], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    with process:
        last = 0
        for _ in range(kills):
            process.stdin.write(f"{last + 1}\n")
            process.stdin.flush()
            child = int(process.stdout.readline().removeprefix("child "))
            time.sleep(moments.uniform(0.02, 0.4))
            os.kill(child, signal.SIGKILL)
            while (line := process.stdout.readline()) != "killed\n":
                last = int(line)
            leftovers = set(os.listdir(tmp_path)) - set(saving_child.FILES)
            assert len(leftovers) <= 1
            assert all(WORKSPACE.fullmatch(name) for name in leftovers)
            left += len(leftovers)
            whole = keras.saving.load_model(tmp_path / saving_child.FILES[0])
            model.load_weights(tmp_path / saving_child.FILES[1])
            assert number_in(whole) in (last, last + 1)
            assert number_in(model) in (last, last + 1)
            last += 1
            saving_child.save(model, tmp_path, last)
            assert sorted(os.listdir(tmp_path)) == sorted(saving_child.FILES)
        process.stdin.close()
    assert left > 0
