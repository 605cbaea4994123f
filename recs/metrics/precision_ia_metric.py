"""Intent-aware precision."""

from __future__ import annotations

from typing import Any

import keras

from recs.metrics.functional import ranking
from recs.metrics.ranking_metric import CutMetric


@keras.saving.register_keras_serializable("recs")
class PrecisionIAMetric(CutMetric):
    """The precision of the first `topn`, the mean over the topics that a list has.

    Labels say for each topic whether an item is relevant to it (at least 1).

    A list counts with the mean weight of its items that have a topic; without any with the plain
    mean, and the value 0. A list without items does not count. `tfr_compatible=True` weighs lists
    as TF-Ranking does, by the mean weight of the batch's other lists.

    Args:
        name: str. Defaults to `None`, which lets Keras choose one.
        topn: int. How many places count. Defaults to `None`, for all.
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
    >>> from recs.metrics import PrecisionIAMetric
    >>> metric = PrecisionIAMetric(topn=2)
    >>> labels = [[[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]]
    >>> round(float(metric(labels, [[3.0, 1.0, 2.0]])), 6)
    0.75

    ```

    Reference: Agrawal et al., "Diversifying Search Results", 2009;
        `tfr.keras.metrics.PrecisionIAMetric`.
    """

    label_rank = 3

    def _of_lists(self, lists: ranking.Judged) -> tuple[Any, Any]:
        return ranking.precision_ia(lists, self.topn)
