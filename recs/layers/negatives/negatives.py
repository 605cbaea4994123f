"""The interface of the kinds of negatives."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Batch:
    """Inputs of a source of negatives.

    Attributes:
        embeddings: `(candidates, dim)` of the batch.
        numbers: `(candidates,)` int64, the candidates' ids as numbers, or None.
        probability: From numbers to how likely a pair of the batch has that candidate, or None
            when nothing is corrected.
        own_probability: `(candidates,)`, the same of the batch's candidates, or None.
        encode: From ids to embeddings, or None.
        where: The task, for errors.
    """

    embeddings: tf.Tensor
    numbers: tf.Tensor | None
    probability: Callable[[tf.Tensor], tf.Tensor] | None
    own_probability: tf.Tensor | None
    encode: Callable[[Any], Any] | None
    where: str


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Negatives that all queries of a batch share.

    Attributes:
        embeddings: `(negatives, dim)`.
        numbers: `(negatives,)` int64, or None where the batch has none.
        probability: `(negatives,)` as the batch knew it when they were in it, or None.
    """

    embeddings: tf.Tensor
    numbers: tf.Tensor | None
    probability: tf.Tensor | None = None


class Negatives(keras.layers.Layer, abc.ABC):
    """Base of the kinds of negatives that `recs.tasks.Retrieval(negatives=[...])` mixes.

    A kind draws candidates that all queries of a batch share, and can say of any id how often it
    is expected among them. The sum over the kinds, divided by the number of negatives, is the
    probability `q` that the correction `- log q` takes out of a score, whichever kind drew it: a
    candidate that two kinds draw is counted for both.

    Args:
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: see `draw`.

    Example:
    ```python
    >>> from recs.layers.negatives import InBatch, Memory, Negatives
    >>> all(isinstance(kind, Negatives) for kind in (InBatch(), Memory(100, dim=8)))
    True

    ```

    Reference: [Yang et al., 2020](https://doi.org/10.1145/3366424.3386195), who mix in-batch with
    uniform negatives; here each id has its probability in the mixture, as in multiple importance
    sampling.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.built = True

    @abc.abstractmethod
    def draw(self, batch: Batch) -> Drawn | None:
        """Returns negatives, or None when there are none, or they are the batch itself."""

    @abc.abstractmethod
    def expected_count(self, numbers: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns how often ids are expected among this kind's draws, float32 of their shape."""

    def remember(self, batch: Batch) -> None:
        """Takes note of a batch that was trained on."""
        del batch
