"""Pairs whose exchange changes the precision."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.losses.functional.ranking.gains import is_greater_equal_1
from recs.losses.lambda_weight import LambdaWeight, Pairs


@keras.saving.register_keras_serializable("recs")
class PrecisionLambdaWeight(LambdaWeight):
    """Weighs a pair by 1 if exchanging its items changes precision at `topn`, else by 0.

    That is when one of the two is relevant and the other not, and one is among the first `topn`
    and the other not.

    Args:
        topn: int. The cutoff. Required: TF-Ranking lets it be None and fails later.
        positive_fn: Function of labels that returns which are relevant. Defaults to `None`, which
            is `y >= 1`.

    Shapes: see `LambdaWeight`.

    Raises:
        ValueError: when `topn` is no positive integer.

    Example:
    ```python
    >>> from recs.losses import PairwiseHingeLoss, PrecisionLambdaWeight
    >>> loss = PairwiseHingeLoss(lambda_weight=PrecisionLambdaWeight(topn=1))
    >>> round(float(loss([[1.0, 0.0, 0.0]], [[0.6, 0.8, 0.4]])), 6)
    0.4

    ```

    Reference: `tfr.keras.losses.PrecisionLambdaWeight`.
    """

    def __init__(self, topn: int | None = None, positive_fn: Any = None) -> None:
        if isinstance(topn, bool) or not isinstance(topn, int) or topn < 1:
            raise ValueError(
                explain(
                    "`topn`",
                    rule="must be a positive integer",
                    received=f"topn={topn!r}",
                    where="PrecisionLambdaWeight",
                )
            )
        self.topn = topn
        self.positive_fn = positive_fn or is_greater_equal_1

    def prepare(
        self, labels: Any, ranks: Any, valid: Any, *, tfr_compatible: bool = False
    ) -> tuple[Pairs, dict[str, Any]]:
        """Returns the function of pairs and its terms."""
        terms = {
            "positive": ops.cast(self.positive_fn(labels), "float32"),
            "inside": ops.cast(ranks <= self.topn, "float32"),
        }

        def pairs(first: Any, second: Any) -> Any:
            differ = ops.abs(first.positive - second.positive)
            return differ * ops.abs(first.inside - second.inside)

        return pairs, terms

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the weight."""
        function = keras.saving.serialize_keras_object(self.positive_fn)
        return {"topn": self.topn, "positive_fn": function}
