"""Every configuration that is shipped runs, in a short form.

The default run has the quick ones; `pytest -m slow` has the others.
"""

from __future__ import annotations

import json
import pathlib

import pytest

from recs_cli import main
from tests.experiments import user_item_files

FOLDER = pathlib.Path(__file__).parents[2] / "configs"
CONFIGS = sorted(FOLDER.glob("*.yaml"))
QUICK = {"multitask_adult"}


def test_there_are_configurations():
    assert {path.stem for path in CONFIGS} >= {
        "listwise_movielens",
        "ltr_libsvm",
        "ranking_movielens",
        "two_tower_movielens",
    }


def configuration(path: pathlib.Path) -> object:
    marks = [] if path.stem in QUICK else [pytest.mark.slow]
    return pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize("path", [configuration(path) for path in CONFIGS])
def test_it_runs(path, tmp_path, capsys):
    short = ["--epochs", "2", "--batch_size", "4096", "--runs", str(tmp_path)]
    if "UserItemLists" in path.read_text():
        short.append(f"--data.folder={user_item_files.write(tmp_path)}")
    assert main(["train", str(path), *short]) == 0
    shown = capsys.readouterr().out
    assert "The run is in" in shown
    run = tmp_path / path.stem / "1"
    figures = json.loads((run / "metrics.json").read_text())["figures"]
    first, *others = figures
    assert first == "model"
    assert others
    assert (run / "saved_model" / "1" / "saved_model.pb").exists()
    text = path.read_text()
    assert "\nseed: " in text
    assert f"recs train configs/{path.name}" in text
