"""Weights of tasks that are learnt from how noisy they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.layers.checked import checked_names


@keras.saving.register_keras_serializable("recs")
class UncertaintyWeights(keras.layers.Layer):
    """Weighs the losses of tasks by learnt variances.

    `L = sum_t exp(-s_t) L_t / 2 + s_t / 2`, with `s_t = log sigma_t^2` trained beside all else: a
    task whose loss stays large counts less. For losses that are negative log-likelihoods, which
    cross-entropy is and the squared error is up to a factor.

    Masking: none. The loss of a task without labels in the batch is 0, and leaves `s_t / 2` in the
    sum.

    Args:
        tasks: Names of the tasks.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(tasks,)` -> a scalar, float32.

    Raises:
        ValueError: `tasks` are no different names.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_task import UncertaintyWeights
    >>> float(UncertaintyWeights(["click", "buy"])(keras.ops.array([1.0, 3.0])))
    2.0

    ```

    Reference: Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for
    Scene Geometry and Semantics", CVPR 2018.
    """

    def __init__(self, tasks: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.tasks = checked_names(tasks, f"UncertaintyWeights '{self.name}'")
        self.log_variances = self.add_weight(
            shape=(len(self.tasks),),
            initializer="zeros",
            dtype="float32",
            autocast=False,
            name="log_variances",
        )
        self.built = True

    def call(self, losses: Any) -> Any:
        """Returns the sum of the weighed losses."""
        logs = ops.convert_to_tensor(self.log_variances)
        return ops.sum(ops.exp(-logs) * ops.cast(losses, "float32") + logs) / 2

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "tasks": list(self.tasks)}
