"""The other candidates of the batch."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from recs.layers.negatives.negatives import Batch, Drawn, Negatives


@keras.saving.register_keras_serializable("recs")
class InBatch(Negatives):
    """The candidates that the other queries of the batch chose, and its extra candidates.

    They cost nothing, for they are encoded already, and they come as often as items are chosen:
    popular items are negatives more often, which the correction takes out. What a task has when it
    is given no `negatives`.

    Args:
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: as many negatives as the batch has candidates.

    Example:
    ```python
    >>> import recs
    >>> kinds = [recs.layers.negatives.InBatch(), recs.layers.negatives.Uniform(100)]
    >>> task = recs.tasks.Retrieval(negatives=kinds)

    ```

    Reference: [Hidasi et al., 2016](https://arxiv.org/abs/1511.06939).
    """

    def draw(self, batch: Batch) -> Drawn | None:
        """Returns None: the task has the batch."""
        del batch
        return None

    def expected_count(self, numbers: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the batch's size times the probability of each id."""
        assert batch.probability is not None
        size = tf.cast(tf.shape(batch.embeddings)[0], tf.float32)
        return size * batch.probability(numbers)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return super().get_config()
