"""Mean reciprocal rank of retrieved ids."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.metrics.top_k_ids import TopKIds


@keras.saving.register_keras_serializable("recs")
class MRRAtK(TopKIds):
    """One over the rank of a list's first hit within `k`, 0 without one, a mean over users.

        mrr = 1 / (the first r <= k with hit_r)

    Args:
        k: int, positive. How much of a list counts. Defaults to `10`.
        padding: The id that is none. Defaults to `-1`; for strings `""` is one too.
        name: str. Defaults to `None`: `"mrr@10"` with its `k`.
        **kwargs: The arguments of `keras.metrics.Metric`.

    Shapes: `true_ids (users, positives)`, `retrieved_ids (users, retrieved)` -> a scalar.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.metrics import MRRAtK
    >>> metric = MRRAtK(k=3)
    >>> metric.update_state(np.array([[7, 8], [9, -1]]), np.array([[5, 7, 8], [1, 2, 3]]))
    >>> round(float(metric.result()), 4)
    0.25

    ```
    """

    def of_hits(self, hits: Any, wanted: Any) -> Any:
        """Returns the value of each user; see `TopKIds.of_hits`."""
        ranks = ops.arange(ops.shape(hits)[1], dtype="float32") + 1.0
        return ops.max(hits / ranks, axis=1, initial=0.0)
