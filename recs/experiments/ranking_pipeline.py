"""Training of a ranker in one call: stopped early, watched, and exported at its best."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from recs.callbacks import TableStatistics
from recs.data.ranking import RankingLists
from recs.errors import explain
from recs.experiments.earlier_epochs import EarlierEpochs, Replay
from recs.experiments.epoch_log import EpochLog
from recs.experiments.run_folder import RunFolder
from recs.export import saved_model
from recs.models.base import Model


@dataclasses.dataclass(frozen=True)
class BestRun:
    """Result of `RankingPipeline.run`.

    Args:
        model: The model, with the weights of its best epoch.
        history: A list for each logged figure, one entry an epoch.
        best_epoch: From 1.
        best: What was monitored, in that epoch.
        folder: Where the run is; None if nothing was to be kept.

    Example:
    ```python
    >>> from recs.experiments import BestRun
    >>> BestRun(None, {"val_mrr": [0.5, 0.75]}, best_epoch=2, best=0.75).folder is None
    True

    ```
    """

    model: Any
    history: dict[str, list[float]]
    best_epoch: int
    best: float
    folder: RunFolder | None = None


class RankingPipeline:
    """Fits a ranker and keeps its best epoch, with tables and dense weights alike.

    After each epoch the monitored figure is looked at: if it is the best so far, the weights are
    kept; after `plateau_patience` epochs without a new best the learning rate is multiplied by
    `plateau_factor`, and after `patience` epochs training ends. The model then has the weights of
    the best epoch. Transforms of a `Ranker` are adapted before, where `train` is lists. With a
    folder, this is in it:

    | | |
    |---|---|
    | `model.keras`, `saved_model/1` | the best epoch, to load and to serve |
    | `latest.keras` | the last epoch, to train on from |
    | `history.csv`, `logs/` | figures of every epoch; the latter for TensorBoard, tables included |
    | `backup/` | with `resume`, until the run has ended: the state after the last epoch |

    Args:
        model: A `recs.models.Ranker`, or any `recs.Model` that learns from the batches.
        train: The lists to learn from, or a dataset of batches.
        validation: The lists to judge epochs by, or a dataset. Defaults to `None`: epochs are
            judged by what training logs.
        folder: Where the run is kept; it is made, and must not hold another run. Defaults to
            `None`: nothing is.
        resume: bool. Whether a run that was killed goes on after its last whole epoch: `run` of a
            pipeline made anew with the same arguments takes up model, optimizer, figures and the
            count of epochs without a best one. Needs `folder`. Defaults to `False`: a run begins
            with the model as it is.
        optimizer: A Keras optimizer, its name or its configuration. Defaults to `"adam"`.
        learning_rate: float. Set if given. Defaults to `None`: the optimizer's own.
        batch_size: int, positive. Lists a step. Defaults to `32`.
        list_size: int. What lists are cut and padded to in training; validation has them whole.
            Defaults to `None`: nothing is cut.
        epochs: int, positive. The most there may be. Defaults to `100`.
        monitor: What decides. Defaults to `"val_loss"`, and to `"loss"` without validation.
        mode: `"min"` or `"max"`. Defaults to `None`: losses and `arp` are to be low, all other
            figures high.
        patience: int. Epochs without a new best after which training ends. Defaults to `10`; 0
            for all epochs.
        min_delta: float, 0 or more. How much better a new best must be, for `patience` to start
            anew. Defaults to `0.0`.
        plateau_patience: int. Epochs without a new best after which the learning rate is lowered.
            Defaults to `4`; 0 for never.
        plateau_factor: float between 0 and 1. Defaults to `0.3`.
        seed: int. Of the order of lists and of their items. Defaults to `0`.

    Raises:
        ValueError: when an argument is out of range, `folder` has a run, or in `run`, when
            `monitor` is not among the logs.

    Example:
    ```python
    >>> from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
    >>> from recs.experiments import RankingPipeline
    >>> from recs.models import Ranker
    >>> features = RankingFeatures(examples=[RankingFeature("x")])
    >>> examples = {"x": [3.0, 1.0, 2.0, 4.0], "label": [1, 0, 0, 1]}
    >>> lists = RankingLists(features, {}, examples, row_splits=[0, 2, 4])
    >>> pipeline = RankingPipeline(Ranker(features), lists, lists, epochs=3, monitor="val_mrr")
    >>> run = pipeline.run(verbose=0)
    >>> run.best == max(run.history["val_mrr"])
    True

    ```

    Reference: `tfr.keras.pipeline.SimplePipeline`.
    """

    def __init__(
        self,
        model: Model,
        train: RankingLists | tf.data.Dataset,
        validation: RankingLists | tf.data.Dataset | None = None,
        *,
        folder: str | PathLike[str] | None = None,
        resume: bool = False,
        optimizer: Any = "adam",
        learning_rate: float | None = None,
        batch_size: int = 32,
        list_size: int | None = None,
        epochs: int = 100,
        monitor: str | None = None,
        mode: Literal["min", "max"] | None = None,
        patience: int = 10,
        min_delta: float = 0.0,
        plateau_patience: int = 4,
        plateau_factor: float = 0.3,
        seed: int = 0,
    ) -> None:
        if monitor is None:
            monitor = "loss" if validation is None else "val_loss"
        _check("epochs", epochs, epochs >= 1, "must be a positive integer")
        _check("mode", mode, mode in (None, "min", "max"), "must be 'min', 'max' or None")
        _check("patience", patience, patience >= 0, "must be 0 or more")
        _check("plateau_patience", plateau_patience, plateau_patience >= 0, "must be 0 or more")
        _check("plateau_factor", plateau_factor, 0 < plateau_factor < 1, "must be between 0 and 1")
        judged = validation is not None or not monitor.startswith("val_")
        _check("monitor", monitor, judged, "must be of training where there is no validation")
        self.model = model
        self.train = train
        self.validation = validation
        self.folder = None if folder is None else RunFolder(folder)
        taken = self.folder is not None and self.folder.model.exists()
        _check("folder", str(folder), not taken, "must not hold another run")
        _check("resume", resume, not resume or folder is not None, "needs `folder`")
        self.resume = resume
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.list_size = list_size
        self.epochs = epochs
        self.monitor = monitor
        self.mode = mode or ("min" if monitor.endswith(("loss", "arp")) else "max")
        self.patience = patience
        self.min_delta = min_delta
        self.plateau_patience = plateau_patience
        self.plateau_factor = plateau_factor
        self.seed = seed

    def run(
        self,
        verbose: int | str = "auto",
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **fit: Any,
    ) -> BestRun:
        """Trains, keeps the best epoch, and exports it.

        Args:
            verbose: As in `keras.Model.fit`. Defaults to `"auto"`: a progress bar.
            callbacks: Further ones. Defaults to `()`.
            **fit: Further arguments of `keras.Model.fit`, such as `steps_per_epoch`.
        """
        optimizer = keras.optimizers.get(self.optimizer)
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        self.model.compile(optimizer=optimizer)
        if isinstance(self.train, RankingLists) and hasattr(self.model, "adapt"):
            self.model.adapt(self.train)
        if self.folder is not None:
            self.folder.path.mkdir(parents=True, exist_ok=True)
        earlier = EarlierEpochs(self.folder) if self.folder and self.resume else None
        if earlier is not None:
            earlier.take_up(self.model)
            fit["initial_epoch"] = earlier.count
        with tempfile.TemporaryDirectory() as scratch:
            best = Path(scratch, "best.weights.h5") if earlier is None else earlier.best
            history = self.model.fit(
                self._batches(self.train, shuffle=True),
                validation_data=self._batches(self.validation, shuffle=False),
                epochs=self.epochs,
                verbose=verbose,
                callbacks=[*self._callbacks(best, earlier), *callbacks],
                shuffle=False,  # The dataset does it, over all lists.
                **fit,
            ).history
            if earlier is not None:
                history = earlier.followed_by(history)
            if self.folder is not None:
                self.model.save(self.folder.path / "latest.keras")
            if best.exists():
                self.model.load_weights(best)
        if self.folder is not None:
            self.model.save(self.folder.model)
            saved_model(self.model, self.folder.saved_model / "1")
        if earlier is not None:
            earlier.remove()
        figures = np.array(history[self.monitor])
        pick = int((np.nanargmin if self.mode == "min" else np.nanargmax)(figures))
        return BestRun(self.model, history, pick + 1, float(figures[pick]), self.folder)

    def _batches(self, lists: Any, shuffle: bool) -> Any:
        if not isinstance(lists, RankingLists):
            return lists
        return lists.to_dataset(
            self.batch_size,
            list_size=self.list_size if shuffle else None,
            shuffle=shuffle,
            shuffle_examples=shuffle and self.list_size is not None,
            seed=self.seed,
        )

    def _callbacks(
        self, best: Path, earlier: EarlierEpochs | None
    ) -> list[keras.callbacks.Callback]:
        watched: dict[str, Any] = {"monitor": self.monitor, "mode": self.mode}
        # Not `restore_best_weights` of early stopping: it knows of variables only, not of tables.
        keep = keras.callbacks.ModelCheckpoint(
            str(best),
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=None if earlier is None else self._best_of(earlier),
            **watched,
        )
        found = [keras.callbacks.LambdaCallback(on_epoch_end=self._look_for_monitor), keep]
        if self.plateau_patience:
            found.append(
                keras.callbacks.ReduceLROnPlateau(
                    factor=self.plateau_factor,
                    patience=self.plateau_patience,
                    min_delta=self.min_delta,
                    **watched,
                )
            )
        if self.patience:
            found.append(
                keras.callbacks.EarlyStopping(
                    patience=self.patience, min_delta=self.min_delta, **watched
                )
            )
        if earlier is not None:
            found.append(Replay(found[2:], earlier))
        if self.folder is not None:
            logs = self.folder.path / "logs"
            found += [EpochLog(logs), TableStatistics(logs / "train")]
            goes_on = earlier is not None and earlier.count > 0
            found.append(keras.callbacks.CSVLogger(str(self.folder.history), append=goes_on))
        # Last: what is kept has been logged.
        return found if earlier is None else [*found, earlier.checkpoint]

    def _best_of(self, earlier: EarlierEpochs) -> float | None:
        """Returns the best figure of epochs, None of none."""
        figures = earlier.history.get(self.monitor)
        return (min if self.mode == "min" else max)(figures) if figures else None

    def _look_for_monitor(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Raises ValueError where Keras would only warn, epoch after epoch."""
        rule = f"must be one of the logs: {', '.join(logs or {})}"
        _check("monitor", self.monitor, self.monitor in (logs or {}), rule)


def _check(argument: str, value: Any, holds: bool, rule: str) -> None:
    if not holds:
        received = f"{argument}={value!r}"
        where = "RankingPipeline"
        raise ValueError(explain(f"`{argument}`", rule=rule, received=received, where=where))
