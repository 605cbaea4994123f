"""The epochs of a run that was killed, for it to go on."""

from __future__ import annotations

import csv
import shutil
from typing import Any

import keras

from recs.callbacks import BackgroundCheckpoint
from recs.experiments.run_folder import RunFolder


class EarlierEpochs:
    """Keeps the state of a run after each epoch, and takes up where it was killed.

    In the folder's `backup` are the state after the last epoch, tables and optimizer included, and
    the weights of the best one; both are gone when the run has ended. What the epochs logged is in
    `history.csv`.

    Args:
        folder: The run's.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._path = folder.path / "backup"
        self.checkpoint = BackgroundCheckpoint(self._path / "states", keep=1)
        self.best = self._path / "best.weights.h5"
        self.count = 0
        self.history: dict[str, list[float]] = {}

    def take_up(self, model: keras.Model) -> None:
        """Gives a compiled model the state after the last epoch that was kept, if there is one.

        Args:
            model: The model.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        if model.built:
            model.optimizer.build(model.trainable_variables)
        state = self.checkpoint.restore(model)
        if state is None:
            return
        self.count = state["epochs"]
        with self._folder.history.open(newline="") as file:
            head, *rows = list(csv.reader(file))
        # The epoch that was under way may have logged, and be lost with its state all the same.
        rows = rows[: self.count]
        with self._folder.history.open("w", newline="") as file:
            csv.writer(file).writerows([head, *rows])
        columns = zip(*rows, strict=True)
        named = zip(head, columns, strict=True)
        self.history = {name: [float(one) for one in column] for name, column in named}
        del self.history["epoch"]

    def followed_by(self, later: dict[str, list[float]]) -> dict[str, list[float]]:
        """Returns the figures of all epochs.

        Args:
            later: Those of the epochs that came after.
        """
        names = later or self.history
        return {name: [*self.history.get(name, ()), *later.get(name, ())] for name in names}

    def remove(self) -> None:
        """Removes what was kept; the run has ended."""
        shutil.rmtree(self._path, ignore_errors=True)


class Replay(keras.callbacks.Callback):
    """Shows callbacks that count epochs those that came before.

    Stands behind them in the list, since each begins anew when training begins.

    Args:
        callbacks: They, with a method `on_epoch_end`.
        earlier: The epochs.
    """

    def __init__(self, callbacks: list[keras.callbacks.Callback], earlier: EarlierEpochs) -> None:
        super().__init__()
        self._callbacks = callbacks
        self._earlier = earlier

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Replays the epochs, after which the learning rate is what it was."""
        if not self._earlier.count:
            return
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        for epoch in range(self._earlier.count):
            figures = {name: values[epoch] for name, values in self._earlier.history.items()}
            for callback in self._callbacks:
                callback.on_epoch_end(epoch, dict(figures))
        self.model.optimizer.learning_rate = float(rate)
