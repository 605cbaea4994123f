"""Pairs weighed by what their exchange does to the normalized DCG."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.dcg_lambda_weight import DCGLambdaWeight
from recs.losses.functional.ranking import gains


@keras.saving.register_keras_serializable("recs")
class NDCGLambdaWeight(DCGLambdaWeight):
    """`DCGLambdaWeight`, normalized, with the gains and discounts of NDCG.

    Args:
        topn: int. Ranks beyond do not count. Defaults to `None`, for all.
        gain_fn: Function of labels. Defaults to `None`, `2^y - 1`.
        rank_discount_fn: Function of ranks from 1. Defaults to `None`, `1 / log2(1 + r)`.
        smooth_fraction: float from 0 to 1, the part of LambdaRank. Defaults to `0.0`.

    Shapes: see `LambdaWeight`.

    Raises:
        ValueError: when `smooth_fraction` is not between 0 and 1.

    Example:
    ```python
    >>> from recs.losses import NDCGLambdaWeight, PairwiseLogisticLoss
    >>> loss = PairwiseLogisticLoss(lambda_weight=NDCGLambdaWeight(topn=5))
    >>> round(float(loss([[2.0, 1.0, 0.0]], [[0.3, 0.2, 0.1]])), 6)
    0.261207

    ```

    Reference: `tfr.keras.losses.NDCGLambdaWeight`.
    """

    def __init__(
        self,
        topn: int | None = None,
        gain_fn: Any = None,
        rank_discount_fn: Any = None,
        smooth_fraction: float = 0.0,
    ) -> None:
        super().__init__(
            topn,
            gain_fn or gains.pow_minus_1,
            rank_discount_fn or gains.log2_inverse,
            normalized=True,
            smooth_fraction=smooth_fraction,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the weight."""
        return {k: v for k, v in super().get_config().items() if k != "normalized"}
