"""Recall of retrieved ids."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.metrics.top_k_ids import TopKIds


@keras.saving.register_keras_serializable("recs")
class RecallAtK(TopKIds):
    """The share of a user's ids that are among the first `k` of the list, a mean over users.

        recall = sum_{r<=k} hit_r / wanted

    Args:
        k: int, positive. How much of a list counts. Defaults to `10`.
        padding: The id that is none. Defaults to `-1`; for strings `""` is one too.
        name: str. Defaults to `None`: `"recall@10"` with its `k`.
        **kwargs: The arguments of `keras.metrics.Metric`.

    Shapes: `true_ids (users, positives)`, `retrieved_ids (users, retrieved)` -> a scalar.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.metrics import RecallAtK
    >>> metric = RecallAtK(k=3)
    >>> metric.update_state(np.array([[7, 8], [9, -1]]), np.array([[5, 7, 8], [1, 2, 3]]))
    >>> round(float(metric.result()), 4)
    0.5

    ```
    """

    def of_hits(self, hits: Any, wanted: Any) -> Any:
        """Returns the value of each user; see `TopKIds.of_hits`."""
        return ops.sum(hits, axis=1) / wanted
