"""The position-aware weights of p-ListMLE."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.losses.list_mle_lambda_weight import ListMLELambdaWeight

# 2^127 is the largest power of two in float32.
LONGEST = 127


@keras.saving.register_keras_serializable("recs")
class PListMLELambdaWeight(ListMLELambdaWeight):
    """Weighs place k of the order in `ListMLELoss` by `2^(list_size - k) - 1`: p-ListMLE.

    Args:
        list_size: int, from 1 to 127, beyond which the weight is no float32. Larger sizes put
            more weight on the top.

    Shapes: see `LambdaWeight`.

    Raises:
        ValueError: when `list_size` is out of range.

    Example:
    ```python
    >>> from recs.losses import ListMLELoss, PListMLELambdaWeight
    >>> loss = ListMLELoss(lambda_weight=PListMLELambdaWeight(list_size=3))
    >>> round(float(loss([[1.0, 2.0, 0.0]], [[0.6, 0.8, 0.4]])), 6)
    3.333843

    ```

    Reference: Lan et al., "Position-Aware ListMLE", 2014;
    `tfr.losses.create_p_list_mle_lambda_weight`.
    """

    def __init__(self, list_size: int) -> None:
        if isinstance(list_size, bool) or not 1 <= list_size <= LONGEST:
            raise ValueError(
                explain(
                    "`list_size`",
                    rule=f"must be between 1 and {LONGEST}",
                    received=f"list_size={list_size!r}",
                    where="PListMLELambdaWeight",
                    remedy="For longer lists use ListMLELambdaWeight with a milder function.",
                )
            )
        super().__init__(self._discount)
        self.list_size = list_size

    def _discount(self, rank: Any) -> Any:
        return ops.power(2.0, self.list_size - rank) - 1.0

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the weight."""
        return {"list_size": self.list_size}
