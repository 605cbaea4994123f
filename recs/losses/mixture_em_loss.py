"""A mixture of models, told apart by expectation maximization."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.losses.functional.ranking import listwise
from recs.losses.functional.ranking.lists import Lists, scaled
from recs.losses.ranking_loss import ListwiseLoss


@keras.saving.register_keras_serializable("recs")
class MixtureEMLoss(ListwiseLoss):
    """The cross entropy of a mixture of models, each list mostly to the model that fits it.

    `l = sum_m p_m * l_m` with `l_m` the cross entropy of model m over the list's items, and
    `p = softmax(-alpha * l)`, which has no gradient. A list without relevant items has loss 0.

    Weights of items make one of the list, the mean weighted by labels (see
    `functional.ranking.lists.list_weights`).

    The mean is over the lists that have items, those without relevant ones included, with loss 0.
    TF-Ranking counts lists of nothing but padding too, and so does `tfr_compatible=True`.

    TF-Ranking accepts a temperature and ignores it, and so does `tfr_compatible=True`; here scores
    are divided by it.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over lists that have items;
            `"sum"`; `"mean_with_sample_weight"`; or `"none"`, for one value a list. Defaults to
            `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        lambda_weight: Without effect here, so anything but `None` is an error.
        temperature: float above 0. Scores are divided by it: below 1, the best scores count more.
            Defaults to `1.0`.
        alpha: float. How sharply models are told apart. Defaults to `1.0`.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels `(batch, list)`, scores `(batch, list, models)` -> a float32 scalar,
    or without reduction `(batch,)`.

    Raises:
        ValueError: when the temperature is not above 0, or a lambda weight is given.

    Example:
    ```python
    >>> from recs.losses import MixtureEMLoss
    >>> loss = MixtureEMLoss()
    >>> round(float(loss([[1.0, 0.0]], [[[0.6, 0.9], [0.8, 0.2]]])), 6)
    1.31987

    ```

    Reference: Yan et al., "Learning to Rank when Grades Matter", 2023, and the sources there;
    `tfr.keras.losses.MixtureEMLoss`.
    """

    score_rank = 3
    mask_scores = False

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        lambda_weight: Any = None,
        temperature: float = 1.0,
        alpha: float = 1.0,
        ragged: bool = False,
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(reduction, name, lambda_weight, temperature, ragged, tfr_compatible)
        self.alpha = alpha

    def _of_lists(self, lists: Lists) -> Any:
        temperature = 1.0 if self.tfr_compatible else self.temperature
        scores = scaled(lists, temperature).scores
        found = listwise.mixture_em(lists.labels, scores, lists.valid, self.alpha)
        relevant = ops.sum(lists.labels, axis=1) > 0
        return ops.where(relevant, found, ops.zeros_like(found))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {**super().get_config(), "alpha": self.alpha}
