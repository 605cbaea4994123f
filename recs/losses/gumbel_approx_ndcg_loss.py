"""Smooth NDCG of random orders."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.approx_ndcg_loss import ApproxNDCGLoss
from recs.losses.functional.ranking import gumbel
from recs.losses.functional.ranking.lists import Lists
from recs.losses.random_loss import RandomLoss
from recs.losses.ranking_loss import positive


@keras.saving.register_keras_serializable("recs")
class GumbelApproxNDCGLoss(ApproxNDCGLoss, RandomLoss):
    """`ApproxNDCGLoss` of scores with Gumbel noise, the mean of several draws a list.

    The scores become `log softmax((s + noise) / gumbel_temperature)`, then as there: the NDCG of
    orders drawn from the Plackett-Luce model. Random: every call draws anew.

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
        sample_size: int. How many orders are drawn a list: more cost more and vary less. Defaults
            to `8`.
        gumbel_temperature: float above 0. Noisy scores are divided by it. Defaults to `1.0`.
        seed: int, or a `keras.random.SeedGenerator`. Every call draws anew. Defaults to `None`, for
            a seed at random.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar, or without
    reduction `(batch * sample_size,)`.

    Raises:
        ValueError: when a temperature is not above 0, `sample_size` is not a positive integer, or a
            lambda weight is given.

    Example:
    ```python
    >>> from recs.losses import GumbelApproxNDCGLoss
    >>> loss = GumbelApproxNDCGLoss(seed=1)
    >>> round(float(abs(loss([[1.0, 0.0]], [[90.0, 10.0]]))), 6)
    1.0

    ```

    Reference: Bruch et al., "A Stochastic Treatment of Learning to Rank Scoring Functions", 2020;
    `tfr.keras.losses.GumbelApproxNDCGLoss`.
    """

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        lambda_weight: Any = None,
        temperature: float = 0.1,
        sample_size: int = 8,
        gumbel_temperature: float = 1.0,
        seed: Any = None,
        ragged: bool = False,
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(reduction, name, lambda_weight, temperature, ragged, tfr_compatible)
        RandomLoss.__init__(self, sample_size, seed)
        self.gumbel_temperature = positive(
            gumbel_temperature, "gumbel_temperature", type(self).__name__
        )

    def _lists(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> Lists:
        lists = super()._lists(y_true, y_pred, sample_weight, mask)
        noise = self.noise(lists)
        return gumbel.sampled(lists, noise, self.gumbel_temperature, self.tfr_compatible)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {
            **super().get_config(),
            **self.random_config(),
            "gumbel_temperature": self.gumbel_temperature,
        }
