"""Writes the logs of training for TensorBoard, if it is installed."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import keras

from recs.training.event_log import EventLog


class EpochLog(keras.callbacks.Callback):
    """Writes the figures of every epoch, as `keras.callbacks.TensorBoard` names and places them.

    Figures of training are in `train`, those of validation in `validation`, both as `epoch_<name>`,
    so that TensorBoard draws the two into one diagram.

    Args:
        folder: Where to write.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        super().__init__()
        self.folder = Path(folder)
        self._logs: dict[str, EventLog] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the epoch."""
        parts: dict[str, dict[str, float]] = {}
        for name, value in (logs or {}).items():
            part = "validation" if name.startswith("val_") else "train"
            tag = f"epoch_{name.removeprefix('val_')}"
            parts.setdefault(part, {})[tag] = float(value)
        for part, figures in parts.items():
            if part not in self._logs:
                self._logs[part] = EventLog(self.folder / part)
            self._logs[part].scalars(figures, epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the files."""
        for log in self._logs.values():
            log.close()
        self._logs = {}
