"""Negatives from batches before."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.layers.negatives.negatives import Batch, Drawn, Negatives


@keras.saving.register_keras_serializable("recs")
class Memory(Negatives):
    """The candidates of the last batches, with the embeddings they had then.

    A queue: each training batch is scored against it and then replaces the oldest of it. The
    embeddings are a few steps old and get no gradient; late in training they hardly move, and a
    small batch has the negatives of a large one without encoding them again. Early on they move
    fast: `warm_up` leaves the memory out until then.

    State: the queue, saved with the model. In evaluation it is used and not changed.

    Args:
        size: int, positive. How many candidates it holds; a batch larger than that leaves its last
            ones.
        dim: int, positive. The length of the candidates' embeddings.
        warm_up: int. How many training batches pass before the memory is used. Defaults to `0`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: up to `size` negatives a batch.

    Raises:
        ValueError: when `size` or `dim` is not a positive integer, or embeddings have another
            length.

    Example:
    ```python
    >>> import numpy as np
    >>> import recs
    >>> memory = recs.layers.negatives.Memory(size=4, dim=2)
    >>> task = recs.tasks.Retrieval(negatives=[recs.layers.negatives.InBatch(), memory])
    >>> rows = np.ones((3, 2), "float32")
    >>> [round(float(task(rows, rows, training=True)), 2) for _ in range(2)]  # of 3 and of 6
    [3.3, 5.38]

    ```

    Reference: [Wang et al., 2020](https://arxiv.org/abs/1912.06798).
    """

    def __init__(self, size: int, dim: int, warm_up: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in (("size", size), ("dim", dim)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(
                    explain(
                        f"`{name}`",
                        rule="must be a positive integer",
                        received=f"{name}={value!r}",
                        where=f"Memory '{self.name}'",
                    )
                )
        self.size = size
        self.dim = dim
        self.warm_up = warm_up
        self._embeddings = self._state("embeddings", (size, dim), "float32")
        self._numbers = self._state("numbers", (size,), "int64")
        self._probabilities = self._state("probabilities", (size,), "float32")
        # How many candidates there ever were, and how many batches.
        self._seen = self._state("seen", (), "int64")
        self._batches = self._state("batches", (), "int64")

    def _state(self, name: str, shape: tuple[int, ...], dtype: str) -> Any:
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False,
            autocast=False,
        )  # fmt: skip

    def draw(self, batch: Batch) -> Drawn | None:
        """Returns what the queue holds."""
        if batch.embeddings.shape[1] != self.dim:
            raise ValueError(
                explain(
                    "`dim`",
                    rule="must be the length of the candidates' embeddings",
                    received=f"dim={self.dim}, embeddings of shape {tuple(batch.embeddings.shape)}",
                    where=f"Memory '{self.name}' of {batch.where}",
                )
            )
        filled = self._filled()

        def first(variable: Any) -> tf.Tensor:
            return tf.convert_to_tensor(variable)[:filled]

        embeddings = tf.cast(first(self._embeddings), batch.embeddings.dtype)
        numbers = None if batch.numbers is None else first(self._numbers)
        return Drawn(embeddings, numbers, first(self._probabilities))

    def expected_count(self, numbers: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns how much the queue holds, times the probability of each id in a batch."""
        assert batch.probability is not None
        return tf.cast(self._filled(), tf.float32) * batch.probability(numbers)

    def _filled(self) -> tf.Tensor:
        held = tf.minimum(tf.convert_to_tensor(self._seen), self.size)
        warm = tf.convert_to_tensor(self._batches) >= self.warm_up
        return tf.cast(tf.where(warm, held, 0), tf.int32)

    def remember(self, batch: Batch) -> None:
        """Puts the batch's candidates in the place of the oldest."""
        rows = tf.stop_gradient(tf.cast(batch.embeddings, tf.float32))[-self.size :]
        count = tf.shape(rows, tf.int64)[0]
        places = (tf.convert_to_tensor(self._seen) + tf.range(count)) % self.size
        places = places[:, tf.newaxis]
        new = [(self._embeddings, rows)]
        if batch.numbers is not None:
            new.append((self._numbers, batch.numbers[-self.size :]))
        if batch.own_probability is not None:
            new.append((self._probabilities, batch.own_probability[-self.size :]))
        for variable, values in new:
            values = tf.cast(tf.stop_gradient(values), variable.dtype)
            old = tf.convert_to_tensor(variable)
            variable.assign(tf.tensor_scatter_nd_update(old, places, values))
        self._seen.assign_add(count)
        self._batches.assign_add(1)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer; the queue is state."""
        return {
            **super().get_config(),
            "size": self.size,
            "dim": self.dim,
            "warm_up": self.warm_up,
        }
