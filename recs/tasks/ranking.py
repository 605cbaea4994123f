"""The ranking task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.tasks.base import Task, as_list, deserialize_all, serialize_all


@keras.saving.register_keras_serializable("recs")
class Ranking(Task):
    """The loss of predictions against labels, and metrics of either and of both.

    For models that predict a click, a rating or a purchase of a query and a candidate. The loss
    is `loss(y_true=labels, y_pred=predictions, sample_weight=sample_weight)`.

    Masking: a Keras mask on the predictions takes masked elements out of the loss, as in Keras,
    and out of the metrics too. An empty batch has loss 0
    under the default loss.

    Args:
        loss: `keras.losses.Loss`, or any callable with the three arguments above. to
            `None`, which is `keras.losses.BinaryCrossentropy()`.
        metrics: Keras metrics of labels, predictions and weights. Defaults to `None`, for none.
        prediction_metrics: Keras metrics of the predictions alone, such as a mean. Defaults to
            `None`, for none.
        label_metrics: Keras metrics of the labels alone. Defaults to `None`, for none.
        loss_metrics: Keras metrics of the loss, a scalar that is weighted already. Defaults to
            `None`, for none.
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `labels` and `predictions` as the loss wants them, usually `(batch,)` or `(batch, 1)`,
    `sample_weight (batch,)` -> a float32 scalar.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.tasks import Ranking
    >>> task = Ranking(loss=keras.losses.MeanSquaredError())
    >>> float(task(np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]])))
    0.5

    ```

    Reference: `tfrs.tasks.Ranking`. Unlike there, a lone metric need not be put in a list, and
    `get_config` gives back every argument.
    """

    def __init__(
        self,
        loss: Any = None,
        metrics: Sequence[keras.Metric] | keras.Metric | None = None,
        prediction_metrics: Sequence[keras.Metric] | keras.Metric | None = None,
        label_metrics: Sequence[keras.Metric] | keras.Metric | None = None,
        loss_metrics: Sequence[keras.Metric] | keras.Metric | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._loss = keras.losses.BinaryCrossentropy() if loss is None else loss
        self._ranking_metrics = as_list(metrics)
        self._prediction_metrics = as_list(prediction_metrics)
        self._label_metrics = as_list(label_metrics)
        self._loss_metrics = as_list(loss_metrics)

    def call(
        self,
        labels: Any,
        predictions: Any,
        sample_weight: Any = None,
        training: bool = False,
        compute_metrics: bool = True,
    ) -> Any:
        """Returns the loss and updates the metrics.

        Args:
            labels: The truth.
            predictions: What the model says.
            sample_weight: `(batch,)`. Defaults to `None`, which weighs all alike.
            training: bool. Without effect, accepted for TFRS's sake. Defaults to `False`.
            compute_metrics: bool. False leaves every metric alone, those of the loss included,
                and saves their time. Defaults to `True`.
        """
        if sample_weight is not None:
            labels, predictions = _in_columns(labels, predictions)
        loss = self._loss(y_true=labels, y_pred=predictions, sample_weight=sample_weight)
        if tuple(loss.shape) == (0,):
            # What Keras's losses make of an empty batch, whatever their reduction.
            loss = ops.sum(loss)
        if not compute_metrics:
            return loss
        weights = _with_mask(sample_weight, predictions)
        for metric in self._ranking_metrics:
            metric.update_state(labels, predictions, sample_weight=weights)
        for metric in self._prediction_metrics:
            metric.update_state(predictions, sample_weight=weights)
        for metric in self._label_metrics:
            metric.update_state(labels, sample_weight=weights)
        for metric in self._loss_metrics:
            metric.update_state(loss)
        return loss

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the task."""
        return {
            **super().get_config(),
            "loss": keras.saving.serialize_keras_object(self._loss),
            "metrics": serialize_all(self._ranking_metrics),
            "prediction_metrics": serialize_all(self._prediction_metrics),
            "label_metrics": serialize_all(self._label_metrics),
            "loss_metrics": serialize_all(self._loss_metrics),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Ranking:
        """Rebuilds a task from `get_config`."""
        names = ("loss", "metrics", "prediction_metrics", "label_metrics", "loss_metrics")
        return cls(**deserialize_all(config, names))


def _in_columns(labels: Any, predictions: Any) -> Any:
    """Returns `(batch,)` as `(batch, 1)`: Keras's losses take the mean of the last axis.

    It would be that of the batch, which weights then could not reach.
    """
    shapes = [getattr(one, "shape", None) for one in (labels, predictions)]
    if any(shape is None or len(shape) != 1 for shape in shapes):
        return labels, predictions
    mask = getattr(predictions, "_keras_mask", None)
    if mask is not None:
        return labels, predictions
    return ops.expand_dims(labels, -1), ops.expand_dims(predictions, -1)


def _with_mask(sample_weight: Any, predictions: Any) -> Any:
    """Returns the weights, zero where the predictions are masked: metrics do not look by itself."""
    mask = getattr(predictions, "_keras_mask", None)
    if mask is None:
        return sample_weight
    mask = ops.cast(mask, "float32")
    if sample_weight is None:
        return mask
    weight = ops.cast(sample_weight, "float32")
    missing = len(mask.shape) - len(weight.shape)
    return mask * ops.reshape(weight, (*ops.shape(weight), *([1] * missing)))
