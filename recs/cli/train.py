"""`recs train`."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from recs.cli import configuration
from recs.cli.class_help import class_help
from recs.experiments import RunFolder
from recs.export import saved_model


def run(arguments: argparse.Namespace) -> None:
    """Trains, judges, shows and writes the run."""
    if arguments.explain is not None:
        print(class_help(arguments.explain, arguments.modules))
        return
    parsed = configuration.parse(arguments.config, arguments.overrides, arguments.modules)
    experiment = configuration.experiment(parsed, arguments.modules)
    start = time.monotonic()
    parts = experiment.parts()  # What is wrong with the data is found before a folder is made.
    folder = RunFolder.create(Path(parsed["runs"]) / parsed["name"])
    folder.config.write_text(configuration.dump(parsed))
    try:
        # A bar that redraws itself fills a file or a pipe; one line an epoch is enough there.
        trained = experiment.train(parts, verbose=1 if sys.stdout.isatty() else 2)
    except BaseException:
        folder.discard()
        raise
    seconds = time.monotonic() - start
    report = experiment.judge(trained.model, trained.parts)
    print(f"\n{report}\n", flush=True)
    samples = experiment.samples(trained.model, trained.parts)
    if samples:
        print(f"{samples}\n", flush=True)
    trained.model.save(folder.model)
    saved_model(trained.model, folder.saved_model / "1")
    _write_history(trained.history, folder.history)
    document = {"figures": report.figures, "judge_on": experiment.judge_on, "seconds": seconds}
    folder.metrics.write_text(json.dumps(document, indent=2) + "\n")
    _plot(trained.history, folder, parsed["name"])
    print(f"Trained in {seconds:.0f} s. The run is in {folder.path}/")
    if hasattr(trained.model, "recommend"):
        print(f"  next: recs recommend {folder.path} --user ID")


def _write_history(history: Mapping[str, Sequence[float]], path: str | PathLike[str]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *history])
        for epoch, row in enumerate(zip(*history.values(), strict=True), start=1):
            writer.writerow([epoch, *row])


def _plot(history: Mapping[str, Sequence[float]], folder: RunFolder, name: str) -> None:
    from recs.plotting import save_training_curves

    save_training_curves(history, folder.curves, title=name)
