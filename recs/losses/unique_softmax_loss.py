"""Softmax for lists of many relevant items."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import listwise
from recs.losses.functional.ranking.lists import Lists, scaled
from recs.losses.ranking_loss import ListwiseLoss


@keras.saving.register_keras_serializable("recs")
class UniqueSoftmaxLoss(ListwiseLoss):
    """The cross entropy of each item in a softmax of itself and of what has a lower label.

    `l = sum_i (2^y_i - 1) * (log(e^s_i + sum_{y_j < y_i} e^s_j) - s_i)`, s divided by T: relevant
    items do not compete with their equals. Takes `n log n` time; TF-Ranking compares all pairs.

    Weights of items make one of the list, the mean weighted by labels (see
    `functional.ranking.lists.list_weights`).

    The mean is over the lists that have items, those without relevant ones included, with loss 0.
    TF-Ranking counts lists of nothing but padding too, and so does `tfr_compatible=True`.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over lists that have items;
            `"sum"`; `"mean_with_sample_weight"`; or `"none"`, for one value a list. Defaults to
            `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        lambda_weight: Without effect here, so anything but `None` is an error.
        temperature: float above 0. Scores are divided by it: below 1, the best scores count more.
            Defaults to `1.0`.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar, or without
    reduction `(batch,)`.

    Raises:
        ValueError: when the temperature is not above 0, a lambda weight is given, or a label is
            above 100, whose gain is beyond float32 (in a graph `tf.errors.InvalidArgumentError`).

    Example:
    ```python
    >>> from recs.losses import UniqueSoftmaxLoss
    >>> round(float(UniqueSoftmaxLoss()([[1.0, 0.0]], [[0.6, 0.8]])), 6)
    0.798139

    ```

    Reference: Zhu and Klabjan, "Listwise Learning to Rank by Exploring Unique Ratings", 2020;
    `tfr.keras.losses.UniqueSoftmaxLoss`.
    """

    def _of_lists(self, lists: Lists) -> Any:
        scores = scaled(lists, self.temperature).scores
        return listwise.unique_softmax(lists.labels, scores, lists.valid)
