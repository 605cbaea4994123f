"""One network below all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from recs.layers.blocks import MLP
from recs.layers.checked import checked_names


@keras.saving.register_keras_serializable("recs")
class SharedBottom(keras.layers.Layer):
    """One network whose result every task gets.

    `h_t = MLP(x)` for all tasks `t`: the least that tasks can share, and the model that others are
    measured against.

    Masking: none. An empty batch gives empty results.

    Args:
        tasks: Names of the tasks.
        units: Sizes of the dense layers. Defaults to `(64,)`.
        activation: What Keras takes for an activation, of every layer. Defaults to `"relu"`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(batch, dim)` -> a dict with `(batch, units[-1])` for each task.

    Raises:
        ValueError: `tasks` are no different names, or `units` no positive integers.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_task import SharedBottom
    >>> outputs = SharedBottom(["click", "buy"], units=(8,))(keras.ops.ones((2, 5)))
    >>> outputs["buy"].shape
    TensorShape([2, 8])

    ```

    Reference: Caruana, "Multitask Learning", Machine Learning 28, 1997.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        units: Sequence[int] = (64,),
        activation: Any = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = checked_names(tasks, f"SharedBottom '{self.name}'")
        self._network = MLP(
            units, activation=activation, final_activation=activation, dtype=self.dtype_policy
        )

    def build(self, input_shape: Any) -> None:
        """Makes the network's weights."""
        self._network.build(input_shape)

    def call(self, inputs: Any) -> dict[str, Any]:
        """Returns the network's result for every task."""
        shared = self._network(inputs)
        return dict.fromkeys(self.tasks, shared)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "units": list(self._network.units),
            "activation": keras.activations.serialize(self._network.activation),
        }
