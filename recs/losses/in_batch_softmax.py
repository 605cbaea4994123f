"""The softmax of a positive among its negatives."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional import in_batch
from recs.losses.retrieval_loss import RetrievalLoss


@keras.saving.register_keras_serializable("recs")
class InBatchSoftmax(RetrievalLoss):
    """Softmax cross-entropy of the positive against its negatives.

    With `s+` the positive's score and `s_j` the negatives',

        loss = log(exp(s+) + sum_j exp(s_j)) - s+

    and where sampling probabilities are known, all scores are `s - log q` instead, the positive's
    too: of in-batch negatives the positive was drawn like all the others.

    Args:
        temperature: float, positive, or `recs.layers.loss.Temperature`. Defaults to `1.0`.
        normalize: bool. Whether a task divides the embeddings by their lengths; use a temperature
            near 0.1 then. Defaults to `False`.
        reduction: As in Keras. Defaults to `"sum_over_batch_size"`.
        name: str. Defaults to `None`: the class's.
        **kwargs: The arguments of `keras.losses.Loss`.

    Shapes: labels and scores `(rows, candidates)` -> a scalar.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.losses import InBatchSoftmax
    >>> round(float(InBatchSoftmax()(np.eye(2), np.array([[1.0, 0.0], [0.0, 1.0]]))), 4)
    0.3133

    ```

    Reference: [Yi et al., 2019](https://doi.org/10.1145/3298689.3346996).
    """

    def rows(
        self,
        positive: Any,
        negatives: Any,
        mask: Any = None,
        positive_log_probability: Any = None,
        log_probability: Any = None,
    ) -> Any:
        """Returns the loss of each row; see `RetrievalLoss.rows`."""
        if log_probability is not None:
            positive = positive - positive_log_probability
            negatives = negatives - log_probability
        return in_batch.softmax_rows(positive, negatives, mask)
