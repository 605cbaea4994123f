"""A run read back: its experiment and its model."""

from __future__ import annotations

from typing import Any

import keras

from recs.cli import configuration
from recs.experiments import Experiment, RunFolder


def load(path: str) -> tuple[RunFolder, Experiment, Any]:
    """Returns the folder, the experiment (with an untrained model) and the trained model."""
    folder = RunFolder.find(path)
    experiment = configuration.experiment(configuration.parse(str(folder.config), []))
    model = keras.saving.load_model(folder.model)
    return folder, experiment, model
