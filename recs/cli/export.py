"""`recs export`."""

from __future__ import annotations

import argparse

from recs.cli.loaded_run import find, load_trained
from recs.export import saved_model
from recs_cli.status import status


def run(arguments: argparse.Namespace) -> None:
    """Writes the model of a run for a server."""
    folder = find(arguments.run)
    with status("Loading the run"):
        model = load_trained(folder, arguments.modules)
    with status("Writing the SavedModel"):
        path = arguments.path or folder.next_export()
        written = saved_model(model, path, row_dtype=arguments.row_dtype)
    print(written)
