"""A network on top for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from recs.errors import explain
from recs.layers.blocks import MLP
from recs.layers.checked import checked_names
from recs.layers.found_parts import FoundParts


@keras.saving.register_keras_serializable("recs")
class TaskTowers(FoundParts, keras.layers.Layer):
    """A network for each task, from what it is given to its prediction.

    `y_t = f(MLP_t(h_t))`, `f` the task's last activation.

    Masking: none. An empty batch gives empty results.

    Args:
        tasks: Names of the tasks.
        units: Sizes of the dense layers of each tower; a dict gives tasks different ones. Defaults
            to `(1,)`.
        activation: What Keras takes for an activation, of all layers but the last. Defaults to
            `"relu"`.
        final_activation: The same, of the last; a dict gives tasks different ones. Defaults to
            `None`, which is linear: logits.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, dim)`, or a dict of such for every task.

    Shapes: -> a dict with `(batch, units[-1])` for each task, float32 under a mixed policy too.

    Raises:
        ValueError: `tasks` are no different names, or a dict lacks one.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_task import MMoE, TaskTowers
    >>> towers = TaskTowers(["click", "buy"], units=(16, 1), final_activation="sigmoid")
    >>> outputs = towers(MMoE(["click", "buy"])(keras.ops.ones((2, 5))))
    >>> outputs["buy"].shape
    TensorShape([2, 1])

    ```
    """

    def __init__(
        self,
        tasks: Sequence[str],
        units: Sequence[int] | Mapping[str, Sequence[int]] = (1,),
        activation: Any = "relu",
        final_activation: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = checked_names(tasks, f"TaskTowers '{self.name}'")
        sizes = self._of_each(units, "`units`")
        finals = self._of_each(final_activation, "`final_activation`")
        self._towers = {
            task: MLP(
                sizes[task], activation=activation, final_activation=finals[task],
                dtype=self.dtype_policy, name=f"tower_{task}",
            )
            for task in self.tasks
        }  # fmt: skip

    def _of_each(self, value: Any, what: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            return dict.fromkeys(self.tasks, value)
        self._check(value, what)
        return dict(value)

    def _check(self, value: Mapping[str, Any], what: str) -> None:
        missing = set(self.tasks) - set(value)
        if missing:
            raise ValueError(
                explain(
                    what,
                    rule="must be one for all tasks, or one for each",
                    received=f"a dict without {sorted(missing)}",
                    where=f"TaskTowers '{self.name}'",
                )
            )

    @property
    def dense_layers(self) -> dict[str, list[Any]]:
        """The dense layers of each task's tower, in their order."""
        return {task: tower.layers for task, tower in self._towers.items()}

    def build(self, input_shape: Any) -> None:
        """Makes the weights of every tower."""
        if isinstance(input_shape, Mapping):
            self._check(input_shape, "Inputs")
        for task, tower in self._towers.items():
            tower.build(input_shape[task] if isinstance(input_shape, Mapping) else input_shape)

    def call(self, inputs: Any) -> dict[str, Any]:
        """Returns each task's prediction."""
        if not isinstance(inputs, Mapping):
            inputs = dict.fromkeys(self.tasks, inputs)
        return {
            task: keras.ops.cast(tower(inputs[task]), "float32")
            for task, tower in self._towers.items()
        }

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        towers = {task: tower.get_config() for task, tower in self._towers.items()}
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "units": {task: config["units"] for task, config in towers.items()},
            "activation": towers[self.tasks[0]]["activation"],
            "final_activation": {t: config["final_activation"] for t, config in towers.items()},
        }
