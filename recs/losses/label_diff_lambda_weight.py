"""Pairs weighed by how far their labels are apart."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.losses.lambda_weight import LambdaWeight, Pairs


@keras.saving.register_keras_serializable("recs")
class LabelDiffLambdaWeight(LambdaWeight):
    """Weighs a pair by `|y_i - y_j|`.

    Shapes: see `LambdaWeight`.

    Example:
    ```python
    >>> from recs.losses import LabelDiffLambdaWeight, PairwiseHingeLoss
    >>> loss = PairwiseHingeLoss(lambda_weight=LabelDiffLambdaWeight())
    >>> round(float(loss([[3.0, 0.0]], [[0.6, 0.8]])), 6)
    1.8

    ```

    Reference: `tfr.keras.losses.LabelDiffLambdaWeight`.
    """

    def prepare(
        self, labels: Any, ranks: Any, valid: Any, *, tfr_compatible: bool = False
    ) -> tuple[Pairs, dict[str, Any]]:
        """Returns the function of pairs."""
        return lambda first, second: ops.abs(first.labels - second.labels), {}
