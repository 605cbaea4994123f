"""Judges models that recommend by a history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recs.data import sequences
from recs.data.interactions import Interactions
from recs.experiments.retrieval_evaluation import RetrievalEvaluation


class SequentialEvaluation(RetrievalEvaluation):
    """Trains a model on windows of what users did, and judges it by what they did next.

    The protocol is `RetrievalEvaluation`'s, and so are the figures. A user is asked about with the
    newest items that they had before the part that is judged by: those of training, and for the
    test those of validation too. With one held-out item a user, as `LastOut(n=1)` leaves,
    Recall@k is the hit rate HR@k.

    Args:
        ks: Lengths of the list, at most the number of items. Defaults to `None`: those of 10, 50
            and 100 that are.
        positive_from: Ratings of at least this are positive interactions. Defaults to `None`: every
            interaction is.
        show_users: For how many users recommendations are printed. Defaults to `3`.
        show_items: How many items each of them gets. Defaults to `10`.
        stride: Of each user's windows every how many-th is trained on. Defaults to `None`: all, and
            for a model with `positions="all"` as many as make each interaction be trained on once.
        min_length: Windows with fewer items are not trained on. Defaults to `1`.
        max_length: The most items of a history. Defaults to `None`: the model's.

    Example:
    ```python
    >>> from recs.experiments import SequentialEvaluation
    >>> SequentialEvaluation(ks=[10], min_length=3).min_length
    3

    ```
    """

    def __init__(
        self,
        ks: Sequence[int] | None = None,
        positive_from: float | None = None,
        show_users: int = 3,
        show_items: int = 10,
        stride: int | None = None,
        min_length: int = 1,
        max_length: int | None = None,
    ) -> None:
        super().__init__(ks, positive_from, show_users, show_items)
        self.stride = stride
        self.min_length = min_length
        self.max_length = max_length

    def examples(
        self, model: Any, part: Interactions, before: Sequence[Interactions] = ()
    ) -> Interactions:
        """Returns windows over the interactions of a part.

        Args:
            model: the model.
            part: the training or the validation part.
            before: the parts that lie before it, whose items stand in histories.
        """
        length = self._length(model)
        stride = self.stride
        if stride is None:
            stride = length if model.positions == "all" and not before else 1
        return sequences.windows(
            part,
            length,
            before=before,
            stride=stride,
            min_length=self.min_length,
            column=model.query_tower.column,
        )

    def query(self, model: Any, parts: Sequence[Interactions], users: np.ndarray) -> Any:
        """Returns the users' newest items.

        Args:
            model: the model.
            parts: what the users had.
            users: their ids.
        """
        column = sequences.latest(parts, users, self._length(model))
        return {model.query_tower.column: column}

    def _length(self, model: Any) -> int:
        # What a model with no bound of its own has read is bounded by what it can read in a step.
        return self.max_length or model.max_length or 200
