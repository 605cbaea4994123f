"""`recs evaluate`."""

from __future__ import annotations

import argparse

from recs.cli.loaded_run import load


def run(arguments: argparse.Namespace) -> None:
    """Judges the saved model anew, on the split its configuration describes."""
    folder, experiment, model = load(arguments.run, arguments.modules)
    print(f"{folder.path}/")
    print(experiment.judge(model, experiment.parts(model)))
