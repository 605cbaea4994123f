"""The interface of losses of one positive against many negatives."""

from __future__ import annotations

import abc
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.losses.functional import in_batch


class RetrievalLoss(keras.losses.Loss, abc.ABC):
    """Base of the losses of a row that has one positive score and many negative ones.

    Two ways to use them. `recs.tasks.Retrieval(loss=...)` gives them scores a chunk of the batch at
    a time, so that no `[batch, batch]` matrix is held. As a Keras loss they take a matrix of
    labels and one of scores: in each row the largest label is the positive, if it is above 0, a
    label 0 is a negative, and any other label leaves the score out: further positives, and padding
    with a label below 0. A row without a positive costs 0.

    A subclass writes `rows`. Scores are divided by the temperature before.

    Args:
        temperature: float, positive, or `recs.layers.loss.Temperature`, to be learned: by a task of
            itself, under `compile(loss=...)` if the model has the layer as an attribute. Below 1 it
            makes differences of scores count for more. Defaults to `1.0`.
        normalize: bool. Whether a task divides the embeddings by their lengths, so that scores
            are cosines. Scores given to the loss by hand are taken as they are. Defaults to
            `False`.
        reduction: As in Keras. Defaults to `"sum_over_batch_size"`, the mean over the rows; with
            `"sum"` the in-batch softmax is the task's default loss.
        name: str. Defaults to `None`: the class's.
        **kwargs: The arguments of `keras.losses.Loss`.

    Shapes: labels and scores `(rows, candidates)` -> a scalar; half precision is computed in
    float32.

    Raises:
        ValueError: when `temperature` is not positive.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.losses import BPR, RetrievalLoss
    >>> issubclass(BPR, RetrievalLoss)
    True

    ```
    """

    def __init__(
        self,
        temperature: Any = 1.0,
        normalize: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name or type(self).__name__.lower(), reduction=reduction, **kwargs)
        if not isinstance(temperature, keras.layers.Layer) and not temperature > 0:
            raise ValueError(
                explain(
                    "`temperature`",
                    rule="must be positive",
                    received=f"temperature={temperature!r}",
                    where=f"{type(self).__name__} '{self.name}'",
                )
            )
        self.temperature = temperature
        self.normalize = normalize

    @abc.abstractmethod
    def rows(
        self,
        positive: Any,
        negatives: Any,
        mask: Any = None,
        positive_log_probability: Any = None,
        log_probability: Any = None,
    ) -> Any:
        """Returns the loss of each row, `(rows,)`; the temperature was divided out before.

        Args:
            positive: `(rows,)` scores.
            negatives: `(rows, candidates)` scores.
            mask: bool `(rows, candidates)`, false for what is no negative. Defaults to `None`:
                all are.
            positive_log_probability: `(rows,)`, the log of how likely each positive is to be drawn
                as a negative. Defaults to `None`: not known.
            log_probability: `(rows, candidates)`, the same of the negatives. Defaults to `None`.
        """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each row of a matrix of scores."""
        scores = self.tempered(in_batch.in_full_precision(y_pred))
        labels = ops.cast(y_true, scores.dtype)
        if scores.shape[1] == 0:
            return ops.zeros_like(ops.sum(scores, axis=1))
        best = ops.expand_dims(ops.argmax(labels, axis=1), 1)
        there = ops.any(labels > 0, axis=1)
        negative = ops.equal(labels, 0.0)
        # What is left out may be NaN, whose gradient is NaN even times zero.
        positive = ops.where(there, ops.take_along_axis(scores, best, axis=1)[:, 0], 0.0)
        negatives = ops.where(negative & ops.expand_dims(there, 1), scores, 0.0)
        return ops.where(there, self.rows(positive, negatives, negative), 0.0)

    def tempered(self, scores: Any) -> Any:
        """Returns scores divided by the temperature."""
        if isinstance(self.temperature, keras.layers.Layer):
            return self.temperature(scores)
        return scores if self.temperature == 1 else scores / self.temperature

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        learned = isinstance(self.temperature, keras.layers.Layer)
        return {
            **super().get_config(),
            "temperature": keras.saving.serialize_keras_object(self.temperature)
            if learned
            else self.temperature,
            "normalize": self.normalize,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RetrievalLoss:
        """Rebuilds a loss from `get_config`."""
        temperature = config.get("temperature", 1.0)
        if isinstance(temperature, dict):
            temperature = keras.saving.deserialize_keras_object(temperature)
        return cls(**{**config, "temperature": temperature})
