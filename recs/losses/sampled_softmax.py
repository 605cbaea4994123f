"""The softmax over a whole catalogue, estimated from some of it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.losses.functional import in_batch
from recs.losses.retrieval_loss import RetrievalLoss


@keras.saving.register_keras_serializable("recs")
class SampledSoftmax(RetrievalLoss):
    """Sampled softmax: estimates the cross-entropy over the whole catalogue.

    With `s+` the positive's score, `s_j` those of the row's `n` negatives, and `q_j` the
    probability with which each was drawn,

        loss = log(exp(s+) + sum_j exp(s_j) / (n q_j)) - s+

    The sum estimates the catalogue's without bias, and the positive counts as it is: scores are
    learned on the scale of a full softmax, whatever the number of negatives. (The in-batch softmax
    corrects the positive too, which leaves a constant of the batch's size in it.) Without
    probabilities it is the in-batch softmax.

    Args:
        temperature: float, positive, or `recs.layers.loss.Temperature`. Defaults to `1.0`.
        normalize: bool. Whether a task divides the embeddings by their lengths. Defaults to
            `False`.
        reduction: As in Keras. Defaults to `"sum_over_batch_size"`.
        name: str. Defaults to `None`: the class's.
        **kwargs: The arguments of `keras.losses.Loss`.

    Shapes: labels and scores `(rows, candidates)` -> a scalar.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.losses import SampledSoftmax
    >>> one_of_a_thousand = np.log(np.full((1, 4), 1 / 1000, "float32"))
    >>> loss = SampledSoftmax().rows(
    ...     np.zeros(1, "float32"), np.zeros((1, 4), "float32"), None, None, one_of_a_thousand
    ... )
    >>> round(float(loss[0]), 3), round(float(np.log(1001)), 3)
    (6.909, 6.909)

    ```

    Reference: [Jean et al., 2015](https://arxiv.org/abs/1412.2007).
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
        del positive_log_probability
        if log_probability is not None:
            kept = ops.ones_like(negatives) if mask is None else ops.cast(mask, negatives.dtype)
            count = ops.maximum(ops.sum(kept, axis=1, keepdims=True), 1.0)
            negatives = negatives - log_probability - ops.log(count)
        return in_batch.softmax_rows(positive, negatives, mask)
