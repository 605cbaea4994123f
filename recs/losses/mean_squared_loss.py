"""The squared error of single items."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import pointwise
from recs.losses.functional.ranking.lists import Lists, is_plain, weighed
from recs.losses.ranking_loss import ItemLoss


@keras.saving.register_keras_serializable("recs")
class MeanSquaredLoss(ItemLoss):
    """The squared difference of each item's label and score.

    `l_i = w_i * (y_i - s_i)^2`.

    The mean is over items. TF-Ranking divides by batch times list size, padding included, and so
    does `tfr_compatible=True`. Items without weight count in the divisor, padding has no loss.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over items; `"sum"`;
            `"mean_with_sample_weight"`; or `"none"`, for one value an item. Defaults to `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar, or without
    reduction `(batch, list)`.

    Raises:
        ValueError: when labels or scores have the wrong shape.

    Example:
    ```python
    >>> from recs.losses import MeanSquaredLoss
    >>> round(float(MeanSquaredLoss()([[1.0, 0.0]], [[0.6, 0.8]])), 6)
    0.4

    ```

    Reference: `tfr.keras.losses.MeanSquaredLoss`.
    """

    mask_scores = False

    def _values(self, lists: Lists, *, reduce: bool) -> Any:
        if reduce and is_plain(lists):
            return pointwise.squared_sums(lists.labels, lists.scores, lists.valid)
        found = pointwise.mean_squared(lists.labels, lists.scores, lists.valid)
        return weighed(found, lists)
