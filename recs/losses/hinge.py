"""The hinge loss of pairs."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.losses.functional.negatives_mean import negatives_mean
from recs.losses.retrieval_loss import RetrievalLoss


@keras.saving.register_keras_serializable("recs")
class Hinge(RetrievalLoss):
    """Hinge loss of pairs: negatives within a margin of the positive.

    With `s+` the positive's score and `s_j` those of its `n` negatives,

        loss = 1/n sum_j max(0, margin - s+ + s_j)

    Pairs that are ranked right by the margin have no gradient. Where sampling probabilities are
    known, the mean is weighted by their inverse.

    Args:
        margin: float. By how much the positive has to be better. Defaults to `1.0`.
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
    >>> from recs.losses import Hinge
    >>> float(Hinge()(np.array([[1, 0, 0]]), np.array([[2.0, 1.5, 0.0]])))
    0.25

    ```

    Reference: [Weston et al., 2011](https://www.ijcai.org/Proceedings/11/Papers/460.pdf), without
    its weights by rank.
    """

    def __init__(
        self,
        margin: float = 1.0,
        temperature: Any = 1.0,
        normalize: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(temperature, normalize, reduction, name, **kwargs)
        self.margin = margin

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
        short = ops.relu(self.margin + negatives - ops.expand_dims(positive, 1))
        return negatives_mean(short, mask, log_probability)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {**super().get_config(), "margin": self.margin}
