"""The cross entropy of single items."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import pointwise
from recs.losses.functional.ranking.lists import Lists, is_plain, weighed
from recs.losses.ranking_loss import ItemLoss


@keras.saving.register_keras_serializable("recs")
class SigmoidCrossEntropyLoss(ItemLoss):
    """The cross entropy of each item's label with the sigmoid of its score.

    `l_i = w_i * (max(s, 0) - s * y + log(1 + exp(-|s|)))`. Labels are used as they are: those above
    1 make it negative.

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
    >>> from recs.losses import SigmoidCrossEntropyLoss
    >>> round(float(SigmoidCrossEntropyLoss()([[1.0, 0.0]], [[0.6, 0.8]])), 6)
    0.804294

    ```

    Reference: `tfr.keras.losses.SigmoidCrossEntropyLoss`.
    """

    def _values(self, lists: Lists, *, reduce: bool) -> Any:
        if reduce and is_plain(lists):
            return pointwise.sigmoid_cross_entropy_sums(lists.labels, lists.scores, lists.valid)
        found = pointwise.sigmoid_cross_entropy(lists.labels, lists.scores, lists.valid)
        return weighed(found, lists)
