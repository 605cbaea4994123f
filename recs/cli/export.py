"""`recs export`."""

from __future__ import annotations

import argparse

from recs.cli.run_help import RUN_HELP


def run(arguments: list[str]) -> None:
    """Writes the model of a run for a server."""
    parser = argparse.ArgumentParser(
        prog="recs export",
        description="Writes the model of a run as a SavedModel of TensorFlow's own ops, which an "
        "unmodified TensorFlow Serving runs.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument(
        "--path",
        help="the folder to write; TensorFlow Serving wants a number as its last part "
        "(default: the next number in RUN/saved_model)",
    )
    parser.add_argument(
        "--row-dtype",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="how rows are stored: float16 halves the size, int8 quarters it (default: float32)",
    )
    given = parser.parse_args(arguments)

    import keras

    from recs.experiments import RunFolder
    from recs.export import saved_model
    from recs.models import Model  # noqa: F401  # Registers what the file names.

    folder = RunFolder.find(given.run)
    model = keras.saving.load_model(folder.model)
    path = saved_model(model, given.path or folder.next_export(), row_dtype=given.row_dtype)
    print(path)
