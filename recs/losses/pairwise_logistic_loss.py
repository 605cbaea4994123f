"""The logistic loss of pairs."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import pairwise
from recs.losses.functional.ranking.lists import Lists, scaled
from recs.losses.ranking_loss import PairwiseLoss


@keras.saving.register_keras_serializable("recs")
class PairwiseLogisticLoss(PairwiseLoss):
    """The logistic loss of each item against those with lower labels: RankNet's.

    `l_i = w_i * sum_j 1[y_i > y_j] * lambda_ij * log(1 + exp(-(s_i - s_j) / T))`. w is the weight
    of the item, or of its list, and lambda that of the pair: with `NDCGLambdaWeight` this is
    LambdaRank.

    The sum over all items i is divided by the number of items in the batch. TF-Ranking divides by
    batch times list size, padding included, and so does `tfr_compatible=True`: there padding makes
    the loss smaller, here it has no influence.

    At equal scores the slope is 1/2, as the formula has it. In TF-Ranking, and with
    `tfr_compatible=True`, it is 0: a model that starts with equal scores does not learn.

    Lists without items, or with all labels equal, have loss 0. Memory grows with the number of
    items, not of pairs: lists of 2,000 are fine. Gradients of gradients are not defined.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over items; `"sum"`;
            `"mean_with_sample_weight"`; or `"none"`, for one value an item. Defaults to `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        lambda_weight: `LambdaWeight`, or a callable of two sides of pairs (see there), which weighs
            pairs. Defaults to `None`, for 1.
        temperature: float above 0. Scores are divided by it: below 1, small differences count more.
            Defaults to `1.0`.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar, or without
    reduction `(batch, list)`.

    Raises:
        ValueError: when the temperature is not above 0, or a lambda weight does not weigh pairs.

    Example:
    ```python
    >>> from recs.losses import PairwiseLogisticLoss
    >>> round(float(PairwiseLogisticLoss()([[1.0, 0.0]], [[0.6, 0.8]])), 6)
    0.399069

    ```

    Reference: Burges et al., "Learning to Rank Using Gradient Descent", 2005;
    `tfr.keras.losses.PairwiseLogisticLoss`.
    """

    def _values(self, lists: Lists, *, reduce: bool) -> Any:
        return pairwise.losses(
            pairwise.logistic_without_slope_at_ties if self.tfr_compatible else pairwise.logistic,
            scaled(lists, self.temperature),
            self._pair_weight,
            per_item=not reduce,
            tfr_compatible=self.tfr_compatible,
        )
