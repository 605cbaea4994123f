"""`recs evaluate`."""

from __future__ import annotations

import argparse

from recs.cli.loaded_run import load
from recs_cli.status import status


def run(arguments: argparse.Namespace) -> None:
    """Judges the saved model anew, on the split its configuration describes."""
    with status("Loading the run"):
        folder, experiment, model = load(arguments.run, arguments.modules)
    print(f"{folder.path}/", flush=True)
    with status("Reading the data"):
        parts = experiment.parts(model)
    with status("Ranking") as progress:
        experiment.evaluation.progress = progress
        report = experiment.judge(model, parts)
    print(report)
