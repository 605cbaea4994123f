"""The softmax cross entropy of a list."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.losses.dcg_lambda_weight import DCGLambdaWeight
from recs.losses.dcg_lambda_weight_v2 import DCGLambdaWeightV2
from recs.losses.functional.ranking import listwise, order
from recs.losses.functional.ranking.lists import Lists, scaled
from recs.losses.lambda_weight import LambdaWeight, refusal
from recs.losses.ranking_loss import ListwiseLoss


@keras.saving.register_keras_serializable("recs")
class SoftmaxLoss(ListwiseLoss):
    """The cross entropy of the labels with the softmax of the scores.

    `l = -sum_i w_i * y_i * log softmax(s / T)_i`. Labels are not normalized: a list counts with the
    sum of its labels.

    Padding is left out of the softmax. TF-Ranking keeps it with score `log(1e-10)`, which shows
    when scores are low, and ignores lambda weights it has no use for; `tfr_compatible=True` does
    the same.

    The mean is over the lists that have items, those without relevant ones included, with loss 0.
    TF-Ranking counts lists of nothing but padding too, and so does `tfr_compatible=True`.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over lists that have items;
            `"sum"`; `"mean_with_sample_weight"`; or `"none"`, for one value a list. Defaults to
            `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        lambda_weight: `DCGLambdaWeight` or a class made from it: its gain times discount takes the
            label's place. Defaults to `None`.
        temperature: float above 0. Scores are divided by it: below 1, the best scores count more.
            Defaults to `1.0`.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar, or without
    reduction `(batch,)`.

    Raises:
        ValueError: when the temperature is not above 0, or a lambda weight does not weigh items.

    Example:
    ```python
    >>> from recs.losses import SoftmaxLoss
    >>> round(float(SoftmaxLoss()([[1.0, 0.0]], [[0.6, 0.8]])), 6)
    0.798139

    ```

    Reference: Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", 2007;
    `tfr.keras.losses.SoftmaxLoss`.
    """

    mask_scores = False

    def _checked_lambda(self, weight: Any) -> Any:
        if weight is None or self.tfr_compatible:
            return weight
        if isinstance(weight, LambdaWeight) and type(weight).items is not LambdaWeight.items:
            return weight
        raise refusal(
            weight,
            "must weigh single items",
            type(self).__name__,
            "Use DCGLambdaWeight, or a class with a method `items`.",
        )

    def _values(self, lists: Lists, *, reduce: bool) -> Any:
        return self._of_lists(lists)

    def _of_lists(self, lists: Lists) -> Any:
        lists = scaled(lists, self.temperature)
        labels = lists.labels
        if self._uses_lambda():
            ties = None if self.tfr_compatible else labels
            ranks = order.ranks(ops.stop_gradient(lists.scores), lists.valid, ties)
            labels = self.lambda_weight.items(
                labels, ranks, lists.valid, tfr_compatible=self.tfr_compatible
            )
            labels = ops.where(lists.valid, labels, ops.zeros_like(labels))
        if lists.weights is not None:
            labels = labels * lists.weights
        return listwise.softmax(labels, lists.scores, lists.valid, self.tfr_compatible)

    def _uses_lambda(self) -> bool:
        """Returns whether the lambda weight counts: TF-Ranking knows the one class only."""
        if self.tfr_compatible:
            ignored = isinstance(self.lambda_weight, DCGLambdaWeightV2)
            return isinstance(self.lambda_weight, DCGLambdaWeight) and not ignored
        return self.lambda_weight is not None
