"""Bayesian personalised ranking."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.losses.functional.negatives_mean import negatives_mean
from recs.losses.retrieval_loss import RetrievalLoss


@keras.saving.register_keras_serializable("recs")
class BPR(RetrievalLoss):
    """Bayesian personalized ranking loss, pair by pair.

    With `s+` the positive's score and `s_j` those of its `n` negatives,

        loss = 1/n sum_j -log sigmoid(s+ - s_j)

    Every pair counts alike, so it ranks the whole list rather than its head. Where sampling
    probabilities are known, the mean is weighted by their inverse: that of negatives drawn
    uniformly.

    Args:
        temperature: float, positive, or `recs.layers.loss.Temperature`. Defaults to `1.0`.
        normalize: bool. Whether a task divides the embeddings by their lengths. Defaults to
            `False`.
        reduction: As in Keras. Defaults to `"sum_over_batch_size"`.
        name: str. Defaults to `None`: the class's.
        **kwargs: The arguments of `keras.losses.Loss`.

    Shapes: labels and scores `(rows, candidates)` -> a scalar. A row without negatives costs 0.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.losses import BPR
    >>> round(float(BPR()(np.eye(2), np.zeros((2, 2)))), 4)  # log 2
    0.6931

    ```

    Reference: [Rendle et al., 2009](https://arxiv.org/abs/1205.2618).
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
        pairs = ops.softplus(negatives - ops.expand_dims(positive, 1))
        return negatives_mean(pairs, mask, log_probability)
