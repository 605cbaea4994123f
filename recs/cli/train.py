"""`recs train`."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path

from recs.cli import configuration
from recs.cli.class_help import class_help
from recs.cli.epoch_progress import EpochProgress
from recs.cli.summary import summary
from recs.experiments import RunFolder
from recs.export import saved_model
from recs.plotting import save_training_curves
from recs_cli.status import status


def run(arguments: argparse.Namespace) -> None:
    """Trains, judges, shows and writes the run."""
    if arguments.explain is not None:
        print(class_help(arguments.explain, arguments.modules))
        return
    parsed = configuration.parse(arguments.config, arguments.overrides, arguments.modules)
    with status("Making the model"):  # The first table compiles the op.
        experiment = configuration.experiment(parsed, arguments.modules)
    start = time.monotonic()
    with status("Reading the data"):
        # What is wrong with the data is found before a folder is made.
        parts = experiment.parts()
    print(f"{summary(experiment, parts)}\n", flush=True)
    folder = RunFolder.create(Path(parsed["runs"]) / parsed["name"])
    with _discarded_on_error(folder):
        folder.config.write_text(configuration.dump(parsed))
        trained = experiment.train(parts, verbose=0, callbacks=[EpochProgress()])
        seconds = time.monotonic() - start
        with status("Ranking") as progress:
            experiment.evaluation.progress = progress
            report = experiment.judge(trained.model, trained.parts)
        print(f"\n{report}\n", flush=True)
        with status("Looking at samples"):
            samples = experiment.samples(trained.model, trained.parts)
        if samples:
            print(f"{samples}\n", flush=True)
        with status("Writing the model"):
            trained.model.save(folder.model)
    # From here on a failure costs no training: the folder stays, marked as unfinished.
    with status("Writing the run"):
        saved_model(trained.model, folder.saved_model / "1")
        _write_history(trained.history, folder.history)
        document = {"figures": report.figures, "judge_on": experiment.judge_on, "seconds": seconds}
        folder.metrics.write_text(json.dumps(document, indent=2) + "\n")
        save_training_curves(trained.history, folder.curves, title=parsed["name"])
    folder.finish()
    print(f"Trained in {seconds:.0f} s. The run is in {folder.path}/")
    if hasattr(trained.model, "recommend"):
        print(f"  next: recs recommend {folder.path} --user ID")


@contextlib.contextmanager
def _discarded_on_error(folder: RunFolder) -> Iterator[None]:
    try:
        yield
    except BaseException:
        folder.discard()
        raise


def _write_history(history: Mapping[str, Sequence[float]], path: str | PathLike[str]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *history])
        for epoch, row in enumerate(zip(*history.values(), strict=True), start=1):
            writer.writerow([epoch, *row])
