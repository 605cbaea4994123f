"""Pairs weighed for an NDCG that is cut off."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.dcg_lambda_weight_v2 import DCGLambdaWeightV2
from recs.losses.functional.ranking import gains


@keras.saving.register_keras_serializable("recs")
class NDCGLambdaWeightV2(DCGLambdaWeightV2):
    """`DCGLambdaWeightV2`, normalized, with the gains and discounts of NDCG.

    Args:
        topn: int. The cutoff of the metric. Defaults to `None`, for none.
        gain_fn: Function of labels. Defaults to `None`, `2^y - 1`.
        rank_discount_fn: Function of ranks from 1. Defaults to `None`, `1 / log2(1 + r)`.

    Shapes: see `LambdaWeight`.

    Example:
    ```python
    >>> from recs.losses import NDCGLambdaWeightV2, PairwiseLogisticLoss
    >>> loss = PairwiseLogisticLoss(lambda_weight=NDCGLambdaWeightV2(topn=1))
    >>> round(float(loss([[2.0, 1.0, 0.0]], [[0.3, 0.2, 0.1]])), 6)
    0.744778

    ```

    Reference: `tfr.keras.losses.NDCGLambdaWeightV2`.
    """

    def __init__(
        self, topn: int | None = None, gain_fn: Any = None, rank_discount_fn: Any = None
    ) -> None:
        super().__init__(
            topn,
            gain_fn or gains.pow_minus_1,
            rank_discount_fn or gains.log2_inverse,
            normalized=True,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the weight."""
        return {k: v for k, v in super().get_config().items() if k != "normalized"}
