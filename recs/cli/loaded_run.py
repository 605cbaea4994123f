"""A run read back: its experiment and its model, both made of allowed classes only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recs.cli import allowed_classes, configuration
from recs.cli.model_file import check_regular, load_model
from recs.experiments import Experiment, RunFolder


def find(path: str) -> RunFolder:
    """Returns the folder of a finished run, whose files are plain ones in it.

    Raises:
        FileNotFoundError: when there is no finished run.
        ValueError: when the configuration or the model is a link, a folder or a device.
    """
    folder = RunFolder.find(path)
    check_regular(folder.config)
    check_regular(folder.model)
    return folder


def load(path: str, modules: Sequence[str] = ()) -> tuple[RunFolder, Experiment, Any]:
    """Returns the folder, the experiment (with an untrained model) and the trained model.

    Args:
        path: the run.
        modules: modules whose classes are allowed besides those of recs and Keras.
    """
    folder = find(path)
    tree = configuration.parse(str(folder.config), [], modules)
    experiment = configuration.experiment(tree, modules)
    return folder, experiment, load_trained(folder, modules)


def load_trained(folder: RunFolder, modules: Sequence[str] = ()) -> Any:
    """Returns the trained model of a run."""
    allowed_classes.import_modules(modules)
    return load_model(folder.model, modules)
