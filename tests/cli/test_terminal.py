"""What a terminal of 80 columns shows while something goes on."""

from __future__ import annotations

import io
import os
import re
import sys

import pytest

from recs.cli.epoch_progress import EpochProgress
from recs.cli.summary import summary
from recs.data import Interactions, Samples
from recs.data.splits import Split
from recs_cli.status import bar, status

LOGS = {f"{name}_of_domain_{n}": 0.123456 * n for n in range(6) for name in ("loss", "val_auc")}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def trained(steps):
    progress = EpochProgress()
    progress.set_params({"epochs": 20, "steps": steps})
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        for batch in range(123):
            progress._drawn = 0.0  # Draw every step.
            progress.on_train_batch_end(batch, LOGS)
        progress.on_test_begin()
        progress.on_epoch_end(epoch, LOGS)


@pytest.mark.parametrize("steps", [123, None])
def test_nothing_is_wider_than_the_terminal_and_no_figure_is_lost(monkeypatch, steps):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    trained(steps)
    shown = terminal.getvalue()
    parts = re.split(r"\n|\r\x1b\[K", shown)
    assert max(map(len, parts)) < 80
    assert "Epoch 2/20 [===" in shown
    assert "Epoch 2/20 validating ..." in shown
    kept = re.sub(r"[^\n]*\r\x1b\[K", "", shown)  # What is left on the screen.
    for name, value in LOGS.items():
        assert len(re.findall(rf"{name}\s{value:.4g}(?:\s|$)", kept)) == 2
    assert kept.startswith("Epoch 1/20  ")


def test_a_file_gets_one_entry_per_epoch(capsys):
    trained(123)
    shown = capsys.readouterr().out
    assert "\r" not in shown
    assert "\x1b" not in shown
    assert len(re.findall(r"^Epoch \d+/20  ", shown, re.M)) == 2


def test_a_bar_is_full_at_the_end():
    assert bar(0, 4, 8) == "[>.......]"
    assert bar(2, 4, 8) == "[====>...]"
    assert bar(4, 4, 8) == "[========]"
    assert bar(0, 0, 8) == "[>.......]"


def test_a_status_shows_its_progress_and_leaves_nothing_behind(monkeypatch):
    ours, theirs = os.openpty()
    shown = ""
    with open(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with status("Ranking") as progress:
            progress(300, 1200)
            while "300/1,200" not in shown:
                shown += os.read(ours, 1000).decode()
        shown += os.read(ours, 1000).decode()
    os.close(ours)
    assert "Ranking [======>" in shown
    assert shown.endswith("\r\x1b[K")
    assert max(map(len, shown.split("\r\x1b[K"))) < 80


def test_a_status_is_silent_without_a_terminal(capfd):
    with status("Ranking") as progress:
        progress(1, 2)
    assert capfd.readouterr() == ("", "")


def test_the_summary_says_what_is_trained(config):
    from recs.cli import configuration

    experiment = configuration.experiment(configuration.parse(config("int64"), []))
    lines = summary(experiment, experiment.parts()).splitlines()
    assert re.fullmatch(r"data   CsvFile: \d+ interactions of 10 users with 12 items", lines[0]), (
        lines
    )
    assert re.fullmatch(r"split  LastOut: \d+ for training, 10 for test", lines[1]), lines
    assert lines[2].startswith("model  TwoTower with 4 + ")
    assert lines[2].endswith("per id; Adagrad at 0.1, 2 epochs, batches of 16")
    samples = Samples({"age": [1.0, 2.0], "rich": [0.0, 1.0]})
    first = summary(experiment, Split(samples, [], samples)).splitlines()[0]
    assert first == "data   CsvFile: 4 examples"
    assert isinstance(experiment.parts().train, Interactions)
