"""A curriculum of hard negatives."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain


@keras.saving.register_keras_serializable("recs")
class NegativesSchedule(keras.layers.Layer):
    """How many of the hardest negatives to keep, from the number of the training step.

    Hard negatives from the first step on teach little: everything is hard for a model that knows
    nothing, and wrongly labelled pairs are the hardest of all. A curriculum begins with all and
    narrows down. Give it to `recs.tasks.Retrieval(num_hard_negatives=...)`.

    The steps are counted here, one for each training call of the task, and saved with the model;
    for epochs multiply by the steps of one. In evaluation the last number is used.

    Args:
        schedule: A `keras.optimizers.schedules.LearningRateSchedule`, from the step to the number,
            which is rounded, and is at least 1.
        share: bool. Whether the schedule's values are shares of the negatives there are, in
            (0, 1], rather than numbers. Defaults to `False`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: the number of negatives there are, a scalar -> how many to keep, a scalar int32.

    Raises:
        TypeError: when `schedule` is no schedule.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.layers.loss import NegativesSchedule
    >>> narrowing = keras.optimizers.schedules.PolynomialDecay(1.0, 2, end_learning_rate=0.1)
    >>> keep = NegativesSchedule(narrowing, share=True)
    >>> [int(keep(np.array(1000), training=True)) for _ in range(4)]
    [1000, 550, 100, 100]

    ```
    """

    def __init__(self, schedule: Any, share: bool = False, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            raise TypeError(
                explain(
                    "`schedule`",
                    rule="must be a `keras.optimizers.schedules.LearningRateSchedule`",
                    received=type(schedule).__name__,
                    where=f"NegativesSchedule '{self.name}'",
                    remedy="For one number, give the task the number itself.",
                )
            )
        self.schedule = schedule
        self.share = share
        self._step = self.add_weight(
            name="step", shape=(), dtype="int64", initializer="zeros", trainable=False,
            autocast=False,
        )  # fmt: skip
        self.built = True

    def call(self, available: Any, training: bool | None = None) -> tf.Tensor:
        """Returns how many to keep, and counts a step of training."""
        step = tf.convert_to_tensor(self._step)
        value = tf.cast(self.schedule(step), tf.float32)
        if self.share:
            value = value * tf.cast(available, tf.float32)
        if training:
            self._step.assign_add(1)
        return tf.maximum(tf.cast(tf.round(value), tf.int32), 1)

    def compute_output_spec(self, available: Any, training: bool | None = None) -> Any:
        """Returns shape and dtype of the number."""
        return keras.KerasTensor((), "int32")

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer; the step is state."""
        schedule = keras.optimizers.schedules.serialize(self.schedule)
        return {**super().get_config(), "schedule": schedule, "share": self.share}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NegativesSchedule:
        """Rebuilds a layer from `get_config`."""
        schedule = keras.optimizers.schedules.deserialize(config["schedule"])
        return cls(**{**config, "schedule": schedule})
