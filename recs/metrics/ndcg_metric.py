"""The normalized discounted cumulative gain."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import gains
from recs.metrics.functional import ranking
from recs.metrics.ranking_metric import CutMetric


@keras.saving.register_keras_serializable("recs")
class NDCGMetric(CutMetric):
    """The discounted cumulative gain of the first `topn`, over that of the best order.

    `sum_{r <= topn} w_r * g(y_r) * D(r)` over the same for the list sorted by `w * g`; 0 where that
    is 0. Padding has no gain, whatever `gain_fn` says of label 0; with `tfr_compatible=True` it
    has.

    A list counts with the mean weight of its items, weighted by their gains; without relevant items
    with the plain mean, and the value 0. A list without items does not count. TF-Ranking, and so
    `tfr_compatible=True`, gives both the mean weight of the batch's other lists, so that the result
    depends on how lists are batched. Items with a weight of 0 or less are treated like padding.

    Args:
        name: str. Defaults to `None`, which lets Keras choose one.
        topn: int. How many places count. Defaults to `None`, for all.
        gain_fn: Function of labels. Defaults to `None`, `2^y - 1`.
        rank_discount_fn: Function of ranks from 1. Defaults to `None`, `1 / log2(1 + r)`.
        dtype: The dtype of the metric's state. Defaults to `None`, for Keras's.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        ties: Which of two items with the same score comes first. `"worst"`: the one that counts for
            less, with a lower label or weight, so that a model that scores all alike gets no credit
            for the order of the data. `"position"`: the one that comes first in the list.
            TF-Ranking breaks ties at random. Defaults to `"worst"`.
        tfr_compatible: bool. Weighs lists as TF-Ranking does; see above. Defaults to `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar; `per_list` gives
    values and weights `(batch,)`.

    Raises:
        ValueError: when `topn` is no positive integer, or `ties` neither of the two.

    Example:
    ```python
    >>> from recs.metrics import NDCGMetric
    >>> metric = NDCGMetric(topn=2)
    >>> round(float(metric([[0.0, 1.0, 1.0]], [[3.0, 1.0, 2.0]])), 6)
    0.386853

    ```

    Reference: Järvelin and Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques", 2002;
    `tfr.keras.metrics.NDCGMetric`.
    """

    def __init__(
        self,
        name: str | None = None,
        topn: int | None = None,
        gain_fn: Any = None,
        rank_discount_fn: Any = None,
        dtype: Any = None,
        ragged: bool = False,
        ties: str = "worst",
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(name, topn, dtype, ragged, ties, tfr_compatible)
        self.gain_fn = gain_fn or gains.pow_minus_1
        self.rank_discount_fn = rank_discount_fn or gains.log2_inverse

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "gain_fn": serialize(self.gain_fn),
            "rank_discount_fn": serialize(self.rank_discount_fn),
        }

    def _of_lists(self, lists: ranking.Judged) -> tuple[Any, Any]:
        return ranking.ndcg(lists, self.topn, self.gain_fn, self.rank_discount_fn)
