"""A gain that shrinks when a topic comes again."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import gains
from recs.metrics.functional import ranking
from recs.metrics.ranking_metric import CutMetric


@keras.saving.register_keras_serializable("recs")
class AlphaDCGMetric(CutMetric):
    """The discounted cumulative gain of topics, each worth less every time that it comes again.

    `sum_{r <= topn} w_r * D(r) * sum_t y_rt * (1 - alpha)^(sum of y_t above r)`, by the list's
    weight.

    A list counts with the mean weight of its items that have a topic; without any with the plain
    mean, and the value 0. A list without items does not count. `tfr_compatible=True` weighs lists
    as TF-Ranking does, by the mean weight of the batch's other lists, and counts labels
    below 0 of an item that has others.

    Args:
        name: str. Defaults to `None`, which lets Keras choose one.
        topn: int. How many places count. Defaults to `None`, for all.
        alpha: float from 0 to 1. What a topic loses each time. Defaults to `0.5`.
        rank_discount_fn: Function of ranks from 1. Defaults to `None`, `1 / log2(1 + r)`.
        seed: Without effect: nothing is drawn. Defaults to `None`.
        dtype: The dtype of the metric's state. Defaults to `None`, for Keras's.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        ties: Which of two items with the same score comes first. `"worst"`: the one that counts for
            less, with a lower label or weight, so that a model that scores all alike gets no credit
            for the order of the data. `"position"`: the one that comes first in the list.
            TF-Ranking breaks ties at random. Defaults to `"worst"`.
        tfr_compatible: bool. Weighs lists as TF-Ranking does; see above. Defaults to `False`.

    Shapes: labels `(batch, list, topics)`, scores `(batch, list)` -> a float32 scalar; `per_list`
    gives values and weights `(batch,)`. An item whose labels are all below 0 is padding.

    Raises:
        ValueError: when `topn` is no positive integer, or `ties` neither of the two.

    Example:
    ```python
    >>> from recs.metrics import AlphaDCGMetric
    >>> metric = AlphaDCGMetric(topn=2)
    >>> labels = [[[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]]
    >>> round(float(metric(labels, [[3.0, 1.0, 2.0]])), 6)
    1.946395

    ```

    Reference: Clarke et al., "Novelty and Diversity in Information Retrieval Evaluation", 2008;
    `tfr.keras.metrics.AlphaDCGMetric`.
    """

    label_rank = 3

    def __init__(
        self,
        name: str | None = None,
        topn: int | None = None,
        alpha: float = 0.5,
        rank_discount_fn: Any = None,
        seed: int | None = None,
        dtype: Any = None,
        ragged: bool = False,
        ties: str = "worst",
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(name, topn, dtype, ragged, ties, tfr_compatible)
        self.alpha = alpha
        self.rank_discount_fn = rank_discount_fn or gains.log2_inverse
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "rank_discount_fn": keras.saving.serialize_keras_object(self.rank_discount_fn),
            "seed": self.seed,
        }

    def _of_lists(self, lists: ranking.Judged) -> tuple[Any, Any]:
        return ranking.alpha_dcg(lists, self.topn, self.alpha, self.rank_discount_fn)
