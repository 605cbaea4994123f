"""Pairs weighed for a DCG that is cut off."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.losses.dcg_lambda_weight import DCGLambdaWeight, between, relative_discounts
from recs.losses.lambda_weight import Pairs


@keras.saving.register_keras_serializable("recs")
class DCGLambdaWeightV2(DCGLambdaWeight):
    """`DCGLambdaWeight` without LambdaRank's part, and with a bound that is tight when cut off.

    `lambda_ij = n * |g_i - g_j| * |D(|r_i - r_j|) - D(|r_i - r_j| + 1)| * m`, where m is
    `1 / (1 - D(max(r_i, r_j)))` if the larger rank is beyond `topn`, else 1. The multiplier
    depends on the base of the logarithm in D. n is the number of items, in TF-Ranking and with
    `tfr_compatible=True` the padded size.

    Args:
        topn: int. The cutoff of the metric. Defaults to `None`, for none.
        gain_fn: Function of labels. Defaults to `None`, the label itself.
        rank_discount_fn: D, a function of ranks from 1. Defaults to `None`, `1 / r`.
        normalized: bool. Whether to divide gains by the DCG of the best order. Defaults to
            `False`.

    Shapes: see `LambdaWeight`.

    Example:
    ```python
    >>> from recs.losses import DCGLambdaWeightV2, PairwiseLogisticLoss
    >>> loss = PairwiseLogisticLoss(lambda_weight=DCGLambdaWeightV2(topn=1))
    >>> round(float(loss([[2.0, 1.0, 0.0]], [[0.3, 0.2, 0.1]])), 6)
    1.426764

    ```

    Reference: Jagerman et al., "On Optimizing Top-K Metrics for Neural Ranking Models", 2022;
    `tfr.losses_impl.DCGLambdaWeightV2`.
    """

    def __init__(
        self,
        topn: int | None = None,
        gain_fn: Any = None,
        rank_discount_fn: Any = None,
        normalized: bool = False,
    ) -> None:
        super().__init__(topn, gain_fn, rank_discount_fn, normalized)

    def prepare(
        self, labels: Any, ranks: Any, valid: Any, *, tfr_compatible: bool = False
    ) -> tuple[Pairs, dict[str, Any]]:
        """Returns the function of pairs and its terms."""
        terms = {"gains": self._scaled_gains(labels, valid, tfr_compatible)}
        steps = relative_discounts(self.rank_discount_fn, ops.shape(labels)[1])
        if self.topn is not None:
            beyond = ranks > self.topn
            discount = ops.where(beyond, self.rank_discount_fn(ranks), ops.zeros_like(ranks))
            terms["multiplier"] = 1.0 / (1.0 - discount)

        def pairs(first: Any, second: Any) -> Any:
            weight = between(steps, first.ranks, second.ranks)
            if self.topn is not None:
                later = first.ranks > second.ranks
                weight = weight * ops.where(later, first.multiplier, second.multiplier)
            return weight * ops.abs(first.gains - second.gains)

        return pairs, terms

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the weight."""
        return {k: v for k, v in super().get_config().items() if k != "smooth_fraction"}
