"""The cosine contrastive loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.losses.functional.negatives_mean import negatives_mean
from recs.losses.retrieval_loss import RetrievalLoss


@keras.saving.register_keras_serializable("recs")
class CosineContrastive(RetrievalLoss):
    """Cosine contrastive loss: distance of the positive, plus negatives within a margin.

    With `s+` the positive's cosine and `s_j` those of its `n` negatives,

        loss = (1 - s+) + negative_weight / n sum_j max(0, s_j - margin)

    Only negatives above the margin have a gradient: with many negatives the easy ones are left
    alone. Where sampling probabilities are known, the mean is weighted by their inverse.

    Args:
        margin: float. Cosines below cost nothing; larger leaves more negatives alone. Defaults to
            `0.8`.
        negative_weight: float. How much the negatives count; as most cost nothing, it is large.
            Defaults to `150.0`.
        temperature: float, positive, or `recs.layers.loss.Temperature`; scores are divided before
            they are compared with the margin, so 1 is what the paper has. Defaults to `1.0`.
        normalize: bool. Whether a task divides the embeddings by their lengths. Defaults to
            `True`: scores have to be cosines.
        reduction: As in Keras. Defaults to `"sum_over_batch_size"`.
        name: str. Defaults to `None`: the class's.
        **kwargs: The arguments of `keras.losses.Loss`.

    Shapes: labels and cosines `(rows, candidates)` -> a scalar.

    Raises:
        ValueError: when `negative_weight` is negative.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.losses import CosineContrastive
    >>> loss = CosineContrastive(margin=0.5, negative_weight=10.0)
    >>> round(float(loss(np.array([[1, 0, 0]]), np.array([[0.9, 0.6, 0.2]]))), 4)
    0.6

    ```

    Reference: SimpleX, [Mao et al., 2021](https://arxiv.org/abs/2109.12613).
    """

    def __init__(
        self,
        margin: float = 0.8,
        negative_weight: float = 150.0,
        temperature: Any = 1.0,
        normalize: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(temperature, normalize, reduction, name, **kwargs)
        if not negative_weight >= 0:
            raise ValueError(
                explain(
                    "`negative_weight`",
                    rule="must not be negative",
                    received=f"negative_weight={negative_weight!r}",
                    where=f"CosineContrastive '{self.name}'",
                )
            )
        self.margin = margin
        self.negative_weight = negative_weight

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
        near = ops.relu(negatives - self.margin)
        return 1.0 - positive + self.negative_weight * negatives_mean(near, mask, log_probability)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {
            **super().get_config(),
            "margin": self.margin,
            "negative_weight": self.negative_weight,
        }
