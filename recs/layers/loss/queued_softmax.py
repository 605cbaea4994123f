"""The loss of each sample against candidates of samples before."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from recs.layers.negatives import Memory
from recs.layers.negatives.negatives import Batch


@keras.saving.register_keras_serializable("recs")
class QueuedSoftmax(keras.layers.Layer):
    """Softmax of what a query is to find, against a queue of what others were to find.

    `l = log(exp(q . c / T) + sum_k exp(q . n_k / T)) - q . c / T`, with the vectors `n_k` of the
    queue. It needs nothing of a sample but its two vectors, so that a `recs.models.MetaLearner` can
    adapt a user's tower to a few samples, in serving too. While the queue is empty the loss is 0.

    A candidate that is in the queue itself counts as one of its own negatives.

    Masking: none. State: the queue, a `recs.layers.negatives.Memory`, which only `remember` fills.

    Args:
        size: int, positive. How many candidates the queue holds.
        dim: int, positive. The length of the vectors.
        temperature: float, positive. Below 1 it sharpens the softmax. Defaults to `1.0`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        labels: `(..., dim)`, the candidates' vectors.
        outputs: `(..., dim)`, the queries'.

    Shapes: -> `(...)` float32.

    Raises:
        ValueError: when `size` or `dim` is not a positive integer.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.loss import QueuedSoftmax
    >>> loss = QueuedSoftmax(size=8, dim=2)
    >>> loss.remember(np.zeros((3, 2), "float32"))
    >>> label, output = np.zeros((1, 2), "float32"), np.ones((1, 2), "float32")
    >>> round(float(loss(label, output)[0]), 3)  # one of four that are alike
    1.386

    ```

    Reference: the queue is that of [He et al., 2020](https://arxiv.org/abs/1911.05722).
    """

    def __init__(self, size: int, dim: int, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.queue = Memory(size, dim, name="queue")
        self.temperature = temperature
        self.built = True

    def call(self, labels: Any, outputs: Any) -> Any:
        """Returns the loss of each sample."""
        labels, outputs = (ops.cast(x, "float32") for x in (labels, outputs))
        drawn = self.queue.draw(self._batch(ops.reshape(labels, (-1, self.queue.dim))))
        assert drawn is not None
        own = ops.sum(labels * outputs, axis=-1) / self.temperature
        others = ops.matmul(outputs, ops.transpose(drawn.embeddings)) / self.temperature
        logits = ops.concatenate([ops.expand_dims(own, -1), others], axis=-1)
        return ops.logsumexp(logits, axis=-1) - own

    def remember(self, candidates: Any) -> None:
        """Puts candidates in the place of the oldest.

        Args:
            candidates: `(batch, dim)`.
        """
        self.queue.remember(self._batch(tf.convert_to_tensor(candidates)))

    def _batch(self, embeddings: Any) -> Batch:
        return Batch(embeddings, None, None, None, None, where=f"QueuedSoftmax '{self.name}'")

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer; the queue is state."""
        sizes = {"size": self.queue.size, "dim": self.queue.dim}
        return {**super().get_config(), **sizes, "temperature": self.temperature}
