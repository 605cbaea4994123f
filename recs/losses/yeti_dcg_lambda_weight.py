"""Pairs of neighbours, weighed for DCG."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.losses.dcg_lambda_weight_v2 import DCGLambdaWeightV2
from recs.losses.functional.ranking import gains
from recs.losses.lambda_weight import Pairs


@keras.saving.register_keras_serializable("recs")
class YetiDCGLambdaWeight(DCGLambdaWeightV2):
    """`DCGLambdaWeightV2` for pairs whose ranks follow each other, 0 for others: YetiRank's.

    Args:
        topn: int. The cutoff of the metric. Defaults to `None`, for none.
        gain_fn: Function of labels. Defaults to `None`, `2^y - 1`.
        rank_discount_fn: Function of ranks from 1. Defaults to `None`, `1 / log2(1 + r)`.
        normalized: bool. Whether to divide gains by the DCG of the best order. Defaults to
            `False`.

    Shapes: see `LambdaWeight`.

    Example:
    ```python
    >>> from recs.losses import PairwiseLogisticLoss, YetiDCGLambdaWeight
    >>> loss = PairwiseLogisticLoss(lambda_weight=YetiDCGLambdaWeight())
    >>> round(float(loss([[2.0, 1.0, 0.0]], [[0.3, 0.2, 0.1]])), 6)
    0.713483

    ```

    Reference: Lyzhin et al., "Which Tricks Are Important for Learning to Rank?", 2023;
    `tfr.keras.losses.YetiDCGLambdaWeight`.
    """

    neighbours_only = True

    def __init__(
        self,
        topn: int | None = None,
        gain_fn: Any = None,
        rank_discount_fn: Any = None,
        normalized: bool = False,
    ) -> None:
        super().__init__(
            topn,
            gain_fn or gains.pow_minus_1,
            rank_discount_fn or gains.log2_inverse,
            normalized=normalized,
        )

    def prepare(
        self, labels: Any, ranks: Any, valid: Any, *, tfr_compatible: bool = False
    ) -> tuple[Pairs, dict[str, Any]]:
        """Returns the function of pairs and its terms."""
        all_pairs, terms = super().prepare(labels, ranks, valid, tfr_compatible=tfr_compatible)

        def pairs(first: Any, second: Any) -> Any:
            weight = all_pairs(first, second)
            near = ops.equal(ops.abs(first.ranks - second.ranks), 1.0)
            return ops.where(near, weight, ops.zeros_like(weight))

        return pairs, terms
