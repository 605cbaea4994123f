"""The average relevance position."""

from __future__ import annotations

from typing import Any

import keras

from recs.metrics.functional import ranking
from recs.metrics.ranking_metric import RankingMetric


@keras.saving.register_keras_serializable("recs")
class ARPMetric(RankingMetric):
    """The mean rank of items, weighted by labels: the lower, the better.

    `sum r * y * w / sum y * w`, over all lists together: a list counts with `sum y * w`, so lists
    without relevant items do not.

    Items with a weight of 0 or less are treated like padding.

    Args:
        name: str. Defaults to `None`, which lets Keras choose one.
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
        ValueError: when `ties` is neither of the two.

    Example:
    ```python
    >>> from recs.metrics import ARPMetric
    >>> metric = ARPMetric()
    >>> round(float(metric([[0.0, 1.0, 1.0]], [[3.0, 1.0, 2.0]])), 6)
    2.5

    ```

    Reference: `tfr.keras.metrics.ARPMetric`.
    """

    def _of_lists(self, lists: ranking.Judged) -> tuple[Any, Any]:
        return ranking.average_relevance_position(lists)
