"""YetiRank: neighbours in random orders."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import gumbel
from recs.losses.functional.ranking.lists import Lists
from recs.losses.pairwise_logistic_loss import PairwiseLogisticLoss
from recs.losses.random_loss import RandomLoss
from recs.losses.ranking_loss import positive
from recs.losses.yeti_dcg_lambda_weight import YetiDCGLambdaWeight


@keras.saving.register_keras_serializable("recs")
class YetiLogisticLoss(PairwiseLogisticLoss, RandomLoss):
    """YetiRank: the logistic loss of neighbours in several random orders of each list.

    The scores become `log softmax((s + noise) / gumbel_temperature)`, then as in
    `PairwiseLogisticLoss` with `lambda_weight`, by default `YetiDCGLambdaWeight`, which is 0 unless
    the ranks of a pair follow each other: so a list of n items takes `n log n` time, where
    TF-Ranking compares all pairs. Random: every call draws anew.

    The mean is over items and draws; `tfr_compatible=True` counts padding, as TF-Ranking does.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over items and draws; `"sum"`;
            `"mean_with_sample_weight"`; or `"none"`, for one value an item and draw. Defaults to
            `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        lambda_weight: `LambdaWeight`, or a callable of two sides of pairs (see there), which weighs
            pairs. Defaults to `None`, for `YetiDCGLambdaWeight()`.
        temperature: float above 0. Scores are divided by it: below 1, small differences count more.
            Defaults to `1.0`.
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
    reduction `(batch * sample_size, list)`.

    Raises:
        ValueError: when a temperature is not above 0, `sample_size` is not a positive integer, or a
            lambda weight does not weigh pairs.

    Example:
    ```python
    >>> from recs.losses import YetiLogisticLoss
    >>> loss = YetiLogisticLoss(seed=1)
    >>> round(float(loss([[1.0, 0.0]], [[90.0, 10.0]])), 6)
    0.0

    ```

    Reference: Gulin et al., "Winning the Transfer Learning Track of Yahoo's Learning to Rank
        Challenge
    with YetiRank", 2011; `tfr.keras.losses.YetiLogisticLoss`.
    """

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        lambda_weight: Any = None,
        temperature: float = 1.0,
        sample_size: int = 8,
        gumbel_temperature: float = 1.0,
        seed: Any = None,
        ragged: bool = False,
        tfr_compatible: bool = False,
    ) -> None:
        weight = YetiDCGLambdaWeight() if lambda_weight is None else lambda_weight
        super().__init__(reduction, name, weight, temperature, ragged, tfr_compatible)
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
