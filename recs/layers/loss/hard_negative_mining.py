"""The negatives that a model finds hardest."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.losses.functional import in_batch


@keras.saving.register_keras_serializable("recs")
class HardNegativeMining(keras.layers.Layer):
    """Logits and labels of the positive and of the hardest negatives of each row.

    Most in-batch negatives are easy and add little but noise. Of each row the positive stays,
    and the `num_hard_negatives` negatives with the largest logits. A row has
    `min(num_hard_negatives + 1, candidates)` columns afterwards, the positive first.

    Padding has to be pushed down before (see `RemoveAccidentalHits`). An empty batch gives an
    empty result.

    Args:
        num_hard_negatives: int. How many negatives to keep: fewer make a harder, noisier task.
            Zero or less keeps them all. TFRS documents that as well and does otherwise: there
            zero leaves the positive alone, and a negative number fails.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `logits (queries, candidates)` and one-hot `labels (queries, candidates)`
    -> a pair of `(queries, kept)`, each in the dtype it came in.

    Raises:
        ValueError: when `num_hard_negatives` is not an integer.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.loss import HardNegativeMining
    >>> logits = np.array([[1.0, 9.0, 5.0], [2.0, 3.0, 4.0]], "float32")
    >>> logits, labels = HardNegativeMining(1)(logits, np.eye(2, 3))
    >>> np.asarray(logits).tolist()
    [[1.0, 9.0], [3.0, 4.0]]

    ```

    Reference: `tfrs.layers.loss.HardNegativeMining`.
    """

    def __init__(self, num_hard_negatives: int, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if isinstance(num_hard_negatives, bool) or not isinstance(num_hard_negatives, int):
            raise ValueError(
                explain(
                    "`num_hard_negatives`",
                    rule="must be an integer",
                    received=f"num_hard_negatives={num_hard_negatives!r}",
                    where=f"HardNegativeMining '{self.name}'",
                    remedy="Zero or less keeps every negative.",
                )
            )
        self.num_hard_negatives = num_hard_negatives
        self.built = True

    def call(self, logits: Any, labels: Any) -> Any:
        """Returns the logits and the labels of the columns that are kept."""
        if self.num_hard_negatives <= 0:
            return logits, labels
        keep = in_batch.at_most(self.num_hard_negatives + 1, ops.shape(logits)[1])
        # Infinity, not a large number added: the positive leads whatever the dtype and the logits.
        infinity = ops.cast(float("inf"), logits.dtype)
        order = ops.where(ops.cast(labels, "bool"), infinity, logits)
        _, kept = ops.top_k(order, k=keep)
        return ops.take_along_axis(logits, kept, axis=1), ops.take_along_axis(labels, kept, axis=1)

    def compute_output_shape(self, logits_shape: Any, labels_shape: Any) -> Any:
        """Returns the two shapes after mining."""
        if self.num_hard_negatives <= 0 or logits_shape[1] is None:
            return tuple(logits_shape), tuple(labels_shape)
        kept = min(self.num_hard_negatives + 1, logits_shape[1])
        return (logits_shape[0], kept), (labels_shape[0], kept)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "num_hard_negatives": self.num_hard_negatives}
