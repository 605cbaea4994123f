"""Every benchmark runs in its tiny form and prints both sides and their ratio.

The default run has the quick ones, in this process; `pytest -m slow` runs each in its own.
"""

from __future__ import annotations

import os
import pathlib
import re
import runpy
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(p for p in FOLDER.glob("*.py") if "__main__" in p.read_text())


def test_there_are_benchmarks():
    assert {p.stem for p in SCRIPTS} >= {
        "brute_force",
        "ivf",
        "corpus_metrics",
        "embedding_step",
        "epoch",
        "grouped",
        "in_batch_loss",
        "insertion",
        "lookup",
        "ltr_quality",
        "memory",
        "pipeline",
        "ranking_losses",
        "records",
        "retrieval_quality",
        "scale",
        "state",
        "sequences",
        "strings",
        "threads",
        "train_step",
        "weights",
    }


def check_table(printed: str) -> None:
    lines = printed.splitlines()
    rule = next(i for i, line in enumerate(lines) if re.fullmatch("-+", line))
    assert len(re.findall(r"\d+\.\d+", lines[rule + 1])) >= 2, printed


QUICK = (
    "adaptation",
    "embedding_step",
    "grouped",
    "lookup",
    "records",
    "weights",
)


@pytest.mark.parametrize("name", QUICK)
def test_smoke_in_this_process(name, monkeypatch, capsys):
    script = str(FOLDER / f"{name}.py")
    monkeypatch.setattr(sys, "argv", [script, "--smoke"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    runpy.run_path(script, run_name="__main__")
    check_table(capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_smoke(script):
    done = subprocess.run(
        [sys.executable, str(script), "--smoke"],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    check_table(done.stdout)
