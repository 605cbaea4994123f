"""Mean average precision of retrieved ids."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.metrics.top_k_ids import TopKIds


@keras.saving.register_keras_serializable("recs")
class MAPAtK(TopKIds):
    """The precision at each hit, summed over the hits within `k`, a mean over users.

        map = sum_{r<=k} hit_r * (sum_{s<=r} hit_s / r)  /  min(k, wanted)

    Args:
        k: int, positive. How much of a list counts. Defaults to `10`.
        padding: The id that is none. Defaults to `-1`; for strings `""` is one too.
        name: str. Defaults to `None`: `"map@10"` with its `k`.
        **kwargs: The arguments of `keras.metrics.Metric`.

    Shapes: `true_ids (users, positives)`, `retrieved_ids (users, retrieved)` -> a scalar.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.metrics import MAPAtK
    >>> metric = MAPAtK(k=3)
    >>> metric.update_state(np.array([[7, 8], [9, -1]]), np.array([[5, 7, 8], [1, 2, 3]]))
    >>> round(float(metric.result()), 4)
    0.2917

    ```
    """

    def of_hits(self, hits: Any, wanted: Any) -> Any:
        """Returns the value of each user; see `TopKIds.of_hits`."""
        ranks = ops.arange(ops.shape(hits)[1], dtype="float32") + 1.0
        precision = ops.cumsum(hits, axis=1) / ranks
        return ops.sum(precision * hits, axis=1) / ops.minimum(wanted, float(self.k))
