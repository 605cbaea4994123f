"""Negatives that are the positive under another row number."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.losses.functional import in_batch


@keras.saving.register_keras_serializable("recs")
class RemoveAccidentalHits(keras.layers.Layer):
    """Logits in which negatives with the positive's own id no longer count.

    In a batch the same item may be chosen twice. It is then a "negative" of the query that chose
    it. Such logits become a large negative number `m`, which a softmax takes for zero:
    `y_ij = m if id_j == id_of_positive_i and label_ij == 0 else logits_ij`.

    `m` is finite and fits the logits' dtype (-3.4e36 in float32, as in TFRS). TFRS adds it, which
    overflows in float16; here it replaces the logit. An empty batch gives an empty result.

    Args:
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `labels (queries, candidates)` one-hot, `logits (queries, candidates)`,
    `candidate_ids (candidates,)` of any dtype, strings included
    -> `(queries, candidates)` in the logits' dtype.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.loss import RemoveAccidentalHits
    >>> y = RemoveAccidentalHits()(np.eye(3), np.zeros((3, 3), "float32"), np.array([7, 8, 7]))
    >>> (np.asarray(y) < -1e30).astype(int).tolist()
    [[0, 0, 1], [0, 0, 0], [1, 0, 0]]

    ```

    Reference: `tfrs.layers.loss.RemoveAccidentalHits`; note the order of the arguments.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.built = True

    def call(self, labels: Any, logits: Any, candidate_ids: Any) -> Any:
        """Returns the logits with accidental hits pushed out of the softmax."""
        candidate_ids = in_batch.numbered(ops.reshape(candidate_ids, (-1,)))
        positive_ids = ops.take(candidate_ids, ops.argmax(labels, axis=1), axis=0)
        same = ops.equal(ops.expand_dims(positive_ids, 1), ops.expand_dims(candidate_ids, 0))
        hits = ops.logical_and(same, ops.equal(labels, ops.zeros_like(labels)))
        dtype = keras.backend.standardize_dtype(logits.dtype)
        return ops.where(hits, ops.cast(in_batch.large_negative(dtype), dtype), logits)

    def compute_output_shape(
        self, labels_shape: Any, logits_shape: Any, candidate_ids_shape: Any
    ) -> Any:
        """Returns the logits' shape."""
        return logits_shape
