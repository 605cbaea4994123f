"""One training run from data to a model that is judged."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import keras

from recs.data.splits import Split
from recs.errors import NonFiniteScoresWarning, explain
from recs.experiments.evaluation import Evaluation
from recs.experiments.report import Report
from recs.experiments.source import Source
from recs.experiments.splitter import Splitter
from recs.models.base import Model


@dataclass(frozen=True)
class Trained:
    """Result of `Experiment.train`.

    Args:
        model: the model, trained and ready to answer.
        parts: the split it was trained and is judged by.
        history: a list for each logged figure, one entry an epoch.

    Example:
    ```python
    >>> from recs.experiments import Trained
    >>> trained = Trained(model=None, parts=None, history={"loss": [0.5, 0.25]})
    >>> trained.history["loss"][-1]
    0.25

    ```
    """

    model: Any
    parts: Split
    history: dict[str, list[float]]


class Experiment:
    """Data, split, model, optimizer and evaluation: what a configuration file describes.

    Args:
        data: Where the interactions come from.
        split: How they are divided into training and test, and validation if there is to be one.
        model: The model.
        optimizer: The optimizer of its weights and embeddings.
        evaluation: What the model is judged by.
        epochs: How often training passes over the data. Defaults to `10`.
        batch_size: Interactions a step; for in-batch negatives also their number. Defaults to
            `1024`.
        seed: Of initial values and of the order of the data. Defaults to `0`.
        judge_on: `test`, or `validation`: choose settings by the latter, so that the former stays
            unseen. Defaults to `"test"`.

    Raises:
        ValueError: when `epochs` or `batch_size` is not positive, or the part to judge by is
            empty.

    Example:
    ```python
    >>> import keras
    >>> from recs.experiments import Experiment, LastOut, MovieLens, RetrievalEvaluation
    >>> from recs.models import TwoTower
    >>> experiment = Experiment(
    ...     data=MovieLens(),
    ...     split=LastOut(),
    ...     model=TwoTower(item="movie_id", embedding_dim=8),
    ...     optimizer=keras.optimizers.Adagrad(0.1),
    ...     evaluation=RetrievalEvaluation(),
    ...     epochs=1,
    ...     batch_size=4096,
    ... )
    >>> trained = experiment.train(verbose=0)
    >>> report = experiment.judge(trained.model, trained.parts)
    >>> list(report.figures)
    ['model', 'popularity']

    ```
    """

    def __init__(
        self,
        data: Source,
        split: Splitter,
        model: Model,
        optimizer: keras.optimizers.Optimizer,
        evaluation: Evaluation,
        epochs: int = 10,
        batch_size: int = 1024,
        seed: int = 0,
        judge_on: Literal["test", "validation"] = "test",
    ) -> None:
        for name, value in (("epochs", epochs), ("batch_size", batch_size)):
            if value < 1:
                raise ValueError(
                    explain(
                        f"`{name}`",
                        rule="must be a positive integer",
                        received=f"{name}={value}",
                        where="Experiment",
                    )
                )
        self.data = data
        self.split = split
        self.model = model
        self.optimizer = optimizer
        self.evaluation = evaluation
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.judge_on = judge_on

    def parts(self, model: Any | None = None) -> Split:
        """Returns the interactions, selected for the model and split.

        Args:
            model: a model that was loaded. Defaults to `None`: the experiment's own.

        Raises:
            ValueError: when the part to be judged on has no interactions.
        """
        model = self.model if model is None else model
        parts = self.split.split(self.evaluation.select(model, self.data.load()))
        if not len(getattr(parts, self.judge_on)) or not len(parts.train):
            raise ValueError(
                explain(
                    "The split",
                    rule=f"must leave interactions for training and for {self.judge_on}",
                    received=f"{len(parts.train)} for training, {len(parts.validation)} for "
                    f"validation, {len(parts.test)} for test",
                    where="Experiment",
                    remedy="Change `split`, or `judge_on`.",
                )
            )
        return parts

    def train(
        self, parts: Split | None = None, verbose: int | str = "auto", callbacks: Any = None
    ) -> Trained:
        """Trains the model; returns it with the parts and the history.

        Args:
            parts: what `parts()` returned. Defaults to `None`: the data is read here.
            verbose: as in `keras.Model.fit`. Defaults to `"auto"`: a progress bar.
            callbacks: as in `keras.Model.fit`. Defaults to `None`.
        """
        model, parts = self.model, self.parts() if parts is None else parts
        self.evaluation.before(model, parts.train)
        model.compile(optimizer=self.optimizer)
        examples, dataset_of = self.evaluation.examples, self.evaluation.dataset
        dataset = dataset_of(model, examples(model, parts.train), self.batch_size, self.seed)
        validation = None
        if len(parts.validation):
            rows = examples(model, parts.validation, before=[parts.train])
            validation = dataset_of(model, rows, self.batch_size)
        history = model.fit(
            dataset,
            validation_data=validation,
            epochs=self.epochs,
            verbose=verbose,
            callbacks=callbacks,
            shuffle=False,  # The dataset does it, over all rows.
        )
        self.evaluation.after(model, parts.train)
        return Trained(model, parts, history.history)

    def judge(self, model: Any, parts: Split) -> Report:
        """Returns the figures of a trained model and its baselines.

        Warnings of scores that are not finite become notes of the report.

        Args:
            model: the model.
            parts: the split it was trained by.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", NonFiniteScoresWarning)
            report = self.evaluation.judge(model, parts, self.judge_on)
        notes = [str(w.message) for w in caught if w.category is NonFiniteScoresWarning]
        for other in caught:
            if other.category is not NonFiniteScoresWarning:
                warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
        return dataclasses.replace(report, notes=(*report.notes, *dict.fromkeys(notes)))

    def samples(self, model: Any, parts: Split) -> str:
        """Returns a few answers of a trained model, as text."""
        return self.evaluation.samples(model, parts, self.judge_on)
