"""Several tasks of one model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.multi_task.grad_norm import GradNorm
from recs.layers.multi_task.uncertainty_weights import UncertaintyWeights
from recs.tasks.base import Task
from recs.tasks.ranking import Ranking


@keras.saving.register_keras_serializable("recs")
class MultiTask(Task):
    """The weighed losses of several tasks, each on the examples that have its label.

    `L = sum_t w_t L_t`, with `L_t` the task's loss on the examples whose label is there. A label
    that is missing is no loss: NaN in labels of floats, or False in `masks`. A task without any
    label in the batch has loss 0.

    Beside the tasks' own metrics there is `<name>_loss`, the mean of the unweighed loss over the
    examples that had a label.

    Masking: by `masks`. An empty batch has loss 0.

    Args:
        tasks: A dict of tasks that take labels and predictions (`Ranking`, `RankingHead`), or of
            Keras losses, each of which becomes a `Ranking`.
        weights: A dict of numbers, 1 for what is not in it; `"uncertainty"`, or a layer
            `recs.layers.multi_task.UncertaintyWeights`; or the `GradNorm` layer of the model.
            Defaults to `None`: all weigh 1.
        missing_labels: bool. Whether labels may be missing; false saves picking examples out.
            Defaults to `True`.
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `labels`, `predictions`, and if given `sample_weight` and `masks`: dicts with an entry
    for each task, the batch first in all -> a float32 scalar. `sample_weight` may also be one
    `(batch,)` for all tasks. Entries of no task are ignored.

    Raises:
        ValueError: `tasks` is empty, `weights` fits no task, or labels or predictions lack one.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.tasks import MultiTask
    >>> losses = {name: keras.losses.MeanSquaredError() for name in ("click", "buy")}
    >>> task = MultiTask(losses, {"buy": 0.5})
    >>> labels = {"click": np.array([[1.0], [0.0]]), "buy": np.array([[4.0], [np.nan]])}
    >>> predictions = {"click": np.zeros((2, 1)), "buy": np.zeros((2, 1))}
    >>> float(task(labels, predictions))  # (1 + 0) / 2 + 0.5 * 16 / 1
    8.5

    ```
    """

    def __init__(
        self,
        tasks: Mapping[str, Any],
        weights: Mapping[str, float] | str | keras.layers.Layer | None = None,
        missing_labels: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not tasks:
            raise self._wrong("`tasks`", "must not be empty", "tasks={}")
        # The choice of examples has shapes that XLA cannot know.
        self.supports_jit: bool = not missing_labels
        self.missing_labels = missing_labels
        self.tasks = {key: _as_task(value) for key, value in tasks.items()}
        self._loss_means = {
            key: keras.metrics.Mean(name=f"{key}_loss", dtype="float32") for key in self.tasks
        }
        self._weights = self._checked_weights(weights)

    @property
    def loss_weights(self) -> Any:
        """The `weights` of the losses: a dict, a layer, or None."""
        return self._weights

    def _checked_weights(self, weights: Any) -> Any:
        names = list(self.tasks)
        if weights == "uncertainty":
            return UncertaintyWeights(names)
        if isinstance(weights, UncertaintyWeights | GradNorm):
            fits = sorted(weights.tasks) == sorted(names)
        else:
            weights = dict(weights) if isinstance(weights, Mapping) else weights
            fits = weights is None or (isinstance(weights, dict) and set(weights) <= set(names))
        if not fits:
            raise self._wrong(
                "`weights`",
                f"must be of the tasks {sorted(names)}",
                f"weights={getattr(weights, 'tasks', weights)!r}",
            )
        return weights

    def call(
        self,
        labels: Mapping[str, Any],
        predictions: Mapping[str, Any],
        sample_weight: Any = None,
        masks: Mapping[str, Any] | None = None,
        training: bool = False,
        compute_metrics: bool = True,
    ) -> Any:
        """Returns the loss and updates the metrics.

        Args:
            labels: The truth of each task.
            predictions: What the model says.
            sample_weight: Weights of examples, for all tasks or for each. Defaults to `None`, which
                weighs all alike.
            masks: bool `(batch,)` for tasks whose labels may be missing. Defaults to `None`.
            training: bool. Whether weights that are learnt take notice. Defaults to `False`.
            compute_metrics: bool. Whether metrics are updated. Defaults to `True`.
        """
        for what, given in (("Labels", labels), ("Predictions", predictions)):
            if missing := sorted(set(self.tasks) - set(given)):
                raise self._wrong(what, "must be of every task", f"a dict without {missing}")
        losses, counts = [], []
        for key, task in self.tasks.items():
            weight = sample_weight.get(key) if isinstance(sample_weight, Mapping) else sample_weight
            there = (labels[key], predictions[key], weight)
            count = ops.shape(labels[key])[0]
            if self.missing_labels:
                there, count = _present(*there, None if masks is None else masks.get(key))
            found = task(*there, training=training, compute_metrics=compute_metrics)
            count = ops.cast(count, "float32")
            loss = ops.where(count > 0, ops.cast(ops.sum(found), "float32"), 0.0)
            if compute_metrics:
                self._loss_means[key].update_state(loss, sample_weight=count)
            losses.append(loss)
            counts.append(count)
        return self._total(losses, counts, training)

    def _total(self, losses: list[Any], counts: list[Any], training: bool) -> Any:
        weights = self._weights
        if weights is None or isinstance(weights, dict):
            numbers = [(weights or {}).get(key, 1.0) for key in self.tasks]
            return ops.sum(ops.stack(losses) * ops.convert_to_tensor(numbers, "float32"))
        order = [list(self.tasks).index(key) for key in weights.tasks]
        stacked = ops.stack([losses[i] for i in order])
        if isinstance(weights, UncertaintyWeights):
            return weights(stacked)
        present = ops.stack([counts[i] for i in order]) > 0
        return weights.weigh(stacked, present, training)

    def _wrong(self, what: str, rule: str, received: str) -> ValueError:
        where = f"MultiTask '{self.name}'"
        return ValueError(explain(what, rule=rule, received=received, where=where))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the task."""
        weights = self._weights
        layer = isinstance(weights, keras.layers.Layer)
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "tasks": {key: serialize(task) for key, task in self.tasks.items()},
            "weights": serialize(weights) if layer else weights,
            "missing_labels": self.missing_labels,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MultiTask:
        """Rebuilds a task from `get_config`."""
        rebuild = keras.saving.deserialize_keras_object
        config = {**config, "tasks": {k: rebuild(task) for k, task in config["tasks"].items()}}
        weights = config["weights"]
        if isinstance(weights, dict) and "class_name" in weights:
            config["weights"] = rebuild(weights)
        return cls(**config)


def _as_task(value: Any) -> Task:
    return value if isinstance(value, Task) else Ranking(loss=value)


def _present(labels: Any, predictions: Any, weight: Any, mask: Any) -> tuple[Any, Any]:
    """Returns labels, predictions and weights of the examples with a label, and how many."""
    labels = ops.convert_to_tensor(labels)
    there = ops.ones((ops.shape(labels)[0],), "bool")
    if keras.backend.is_float_dtype(keras.backend.standardize_dtype(labels.dtype)):
        axes = tuple(range(1, len(labels.shape)))
        there = ops.logical_not(ops.any(ops.isnan(labels), axis=axes))
    if mask is not None:
        there = ops.logical_and(there, ops.reshape(ops.cast(mask, "bool"), (-1,)))
    places = ops.nonzero(there)[0]
    picked = tuple(
        None if x is None else ops.take(x, places, axis=0) for x in (labels, predictions, weight)
    )
    return picked, ops.sum(ops.cast(there, "int32"))
