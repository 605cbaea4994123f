"""NDCG of retrieved ids."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.metrics.top_k_ids import TopKIds


@keras.saving.register_keras_serializable("recs")
class NDCGAtK(TopKIds):
    """Discounted gain of the first `k` over the best there could be, a mean over users.

        ndcg = sum_{r<=k} hit_r / log2(r + 1)  /  sum_{r<=min(k, wanted)} 1 / log2(r + 1)

    Args:
        k: int, positive. How much of a list counts. Defaults to `10`.
        padding: The id that is none. Defaults to `-1`; for strings `""` is one too.
        name: str. Defaults to `None`: `"ndcg@10"` with its `k`.
        **kwargs: The arguments of `keras.metrics.Metric`.

    Shapes: `true_ids (users, positives)`, `retrieved_ids (users, retrieved)` -> a scalar.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.metrics import NDCGAtK
    >>> metric = NDCGAtK(k=3)
    >>> metric.update_state(np.array([[7, 8], [9, -1]]), np.array([[5, 7, 8], [1, 2, 3]]))
    >>> round(float(metric.result()), 4)
    0.3467

    ```
    """

    def of_hits(self, hits: Any, wanted: Any) -> Any:
        """Returns the value of each user; see `TopKIds.of_hits`."""
        places = ops.arange(self.k, dtype="float32")
        discount = ops.log(2.0) / ops.log(places + 2.0)
        gained = ops.sum(hits * discount[: ops.shape(hits)[1]], axis=1)
        ideal = ops.where(ops.expand_dims(places, 0) < ops.expand_dims(wanted, 1), discount, 0.0)
        return gained / ops.sum(ideal, axis=1)
