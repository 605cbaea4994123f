"""Places of a sorted list, weighed."""

from __future__ import annotations

from typing import Any

import keras

from recs.errors import explain
from recs.losses.lambda_weight import LambdaWeight


@keras.saving.register_keras_serializable("recs")
class ListMLELambdaWeight(LambdaWeight):
    """Weighs each place of the order in `ListMLELoss` by a function of the place.

    Args:
        rank_discount_fn: Function of places, float32 from 1. Required: TF-Ranking lets it be None
            and fails later.

    Shapes: see `LambdaWeight`.

    Raises:
        ValueError: when `rank_discount_fn` is no function.

    Example:
    ```python
    >>> from recs.losses import ListMLELambdaWeight, ListMLELoss
    >>> loss = ListMLELoss(lambda_weight=ListMLELambdaWeight(lambda rank: 1 / rank))
    >>> round(float(loss([[1.0, 2.0, 0.0]], [[0.6, 0.8, 0.4]])), 6)
    1.210971

    ```

    Reference: `tfr.keras.losses.ListMLELambdaWeight`.
    """

    def __init__(self, rank_discount_fn: Any = None) -> None:
        if not callable(rank_discount_fn):
            raise ValueError(
                explain(
                    "`rank_discount_fn`",
                    rule="must be a function of ranks",
                    received=rank_discount_fn,
                    where=type(self).__name__,
                )
            )
        self.rank_discount_fn = rank_discount_fn

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the weight."""
        return {"rank_discount_fn": keras.saving.serialize_keras_object(self.rank_discount_fn)}
