"""The reciprocal rank made smooth."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import approximate
from recs.losses.functional.ranking.lists import Lists, scaled
from recs.losses.ranking_loss import ListwiseLoss


@keras.saving.register_keras_serializable("recs")
class ApproxMRRLoss(ListwiseLoss):
    """Minus the mean reciprocal rank of relevant items, of ranks that are made smooth by sigmoids.

    `l = -sum_i y_i / rank_i / sum_i y_i` with `rank_i = 1 + sum_{j != i} sigmoid((s_j - s_i) / T)`:
    the mean over the relevant items, not the first of them. A list without any has 0. Gradients of
    gradients are not defined.

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
            Defaults to `0.1`.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar, or without
    reduction `(batch,)`.

    Raises:
        ValueError: when the temperature is not above 0, or a lambda weight is given.

    Example:
    ```python
    >>> from recs.losses import ApproxMRRLoss
    >>> round(float(ApproxMRRLoss()([[1.0, 0.0]], [[0.6, 0.8]])), 6)
    -0.531689

    ```

    Reference: Qin et al., "A General Approximation Framework for Direct Optimization of Information
    Retrieval Measures", 2010;
    `tfr.keras.losses.ApproxMRRLoss`.
    """

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        lambda_weight: Any = None,
        temperature: float = 0.1,
        ragged: bool = False,
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(reduction, name, lambda_weight, temperature, ragged, tfr_compatible)

    def _of_lists(self, lists: Lists) -> Any:
        scores = scaled(lists, self.temperature).scores
        return -approximate.mrr(lists.labels, scores, lists.valid)
