"""The position-weighted average."""

from __future__ import annotations

from typing import Any

import keras

from recs.metrics.functional import ranking
from recs.metrics.ranking_metric import CutMetric


@keras.saving.register_keras_serializable("recs")
class PWAMetric(CutMetric):
    """The mean label of the first `topn`, weighted by one over the rank.

    `sum y / r` over `sum 1 / r`, over places with an item.

    A list counts with the mean weight of its items, and without items not at all; TF-Ranking, and
    so `tfr_compatible=True`, counts it with the value 0. Items with a weight of 0 or less are
    treated like padding.

    Args:
        name: str. Defaults to `None`, which lets Keras choose one.
        topn: int. How many places count; None for all. Defaults to `5`.
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
    >>> from recs.metrics import PWAMetric
    >>> metric = PWAMetric(topn=2)
    >>> round(float(metric([[0.0, 1.0, 1.0]], [[3.0, 1.0, 2.0]])), 6)
    0.333333

    ```

    Reference: Key `pwa` of `tfr.metrics`, which takes weights of lists only.
    """

    def __init__(
        self,
        name: str | None = None,
        topn: int | None = 5,
        dtype: Any = None,
        ragged: bool = False,
        ties: str = "worst",
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(name, topn, dtype, ragged, ties, tfr_compatible)

    def _of_lists(self, lists: ranking.Judged) -> tuple[Any, Any]:
        return ranking.position_weighted_average(lists, self.topn)
