"""Pairs weighed by what their exchange does to the reciprocal rank."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.dcg_lambda_weight import DCGLambdaWeight
from recs.losses.functional.ranking import gains


@keras.saving.register_keras_serializable("recs")
class MRRLambdaWeight(DCGLambdaWeight):
    """`DCGLambdaWeight`, normalized, with the label as gain and `1 / r` as discount.

    With one relevant item a list this is the reciprocal rank.

    Args:
        topn: int. Ranks beyond do not count. Defaults to `None`, for all.
        smooth_fraction: float from 0 to 1, the part of LambdaRank. Defaults to `0.0`.

    Shapes: see `LambdaWeight`.

    Raises:
        ValueError: when `smooth_fraction` is not between 0 and 1.

    Example:
    ```python
    >>> from recs.losses import MRRLambdaWeight, PairwiseLogisticLoss
    >>> loss = PairwiseLogisticLoss(lambda_weight=MRRLambdaWeight())
    >>> round(float(loss([[0.0, 1.0, 0.0]], [[0.3, 0.2, 0.1]])), 6)
    0.694397

    ```

    Reference: `tfr.losses.create_reciprocal_rank_lambda_weight`.
    """

    def __init__(self, topn: int | None = None, smooth_fraction: float = 0.0) -> None:
        super().__init__(
            topn, gains.identity, gains.inverse, normalized=True, smooth_fraction=smooth_fraction
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the weight."""
        return {"topn": self.topn, "smooth_fraction": self.smooth_fraction}
