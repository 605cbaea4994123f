"""Base class of an experiment's evaluations."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.experiments.report import Report

if TYPE_CHECKING:
    import tensorflow as tf


class Evaluation(abc.ABC):
    """Prepares a kind of model for training, and evaluates it afterwards.

    Subclass it for a model of another kind and name the subclass in the configuration.

    Example:
    ```python
    >>> from recs.experiments import Evaluation, RetrievalEvaluation
    >>> isinstance(RetrievalEvaluation(ks=[10]), Evaluation)
    True

    ```
    """

    # Called with the number of users ranked so far and of all, while a catalogue is ranked.
    progress: Callable[[int, int], None] | None = None

    def select(self, model: Any, data: Interactions) -> Interactions:
        """Returns the rows and columns that the model trains on and is judged by.

        Args:
            model: the model, which knows the columns it reads.
            data: all interactions.
        """
        return data

    @abc.abstractmethod
    def columns(self, model: Any) -> list[str]:
        """Returns the columns of a training batch."""

    def examples(
        self, model: Any, part: Interactions, before: Sequence[Interactions] = ()
    ) -> Interactions:
        """Returns the rows that the model trains on, or is validated by while it trains.

        Args:
            model: the model.
            part: the training or the validation part.
            before: the parts that lie before it.
        """
        return part

    def dataset(
        self, model: Any, examples: Any, batch_size: int, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Returns batches of what `examples` returned.

        Args:
            model: the model.
            examples: rows that it trains on or is validated by.
            batch_size: rows a batch.
            shuffle_seed: the seed of the training part's order; None for a part that is not
                trained on. Defaults to `None`.
        """
        return examples.to_dataset(
            self.columns(model),
            batch_size=batch_size,
            shuffle=shuffle_seed is not None,
            seed=shuffle_seed or 0,
        )

    def query(self, model: Any, parts: Sequence[Interactions], users: np.ndarray) -> Any:
        """Returns query inputs for users.

        Args:
            model: the model.
            parts: what is known of the users, the training part first.
            users: their ids.
        """
        return users

    def before(self, model: Any, train: Interactions) -> None:
        """Prepares the model from the training split."""
        return

    def after(self, model: Any, data: Interactions) -> None:
        """Finishes a trained model, before it is judged and saved."""
        return

    @abc.abstractmethod
    def judge(self, model: Any, parts: Split, part: str) -> Report:
        """Returns the figures of the model and its baselines on a part, `test` or `validation`."""

    def samples(self, model: Any, parts: Split, part: str) -> str:
        """Returns a few of the model's answers, as text to print; "" for none."""
        return ""
