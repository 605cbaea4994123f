"""`recs export`."""

from __future__ import annotations

import argparse

import keras

from recs.experiments import RunFolder
from recs.export import saved_model


def run(arguments: argparse.Namespace) -> None:
    """Writes the model of a run for a server."""
    folder = RunFolder.find(arguments.run)
    model = keras.saving.load_model(folder.model)
    path = arguments.path or folder.next_export()
    print(saved_model(model, path, row_dtype=arguments.row_dtype))
