"""`recs evaluate`."""

from __future__ import annotations

import argparse

from recs.cli.loaded_run import load
from recs.cli.run_help import RUN_HELP


def run(arguments: list[str]) -> None:
    """Judges the saved model anew, on the split its configuration describes."""
    parser = argparse.ArgumentParser(
        prog="recs evaluate", description="Judges the model of a run on its held-out part again."
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    given = parser.parse_args(arguments)
    folder, experiment, model = load(given.run)
    print(f"{folder.path}/")
    print(experiment.judge(model, experiment.parts(model)))
