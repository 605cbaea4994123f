"""Levels of shared and own experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from recs.errors import explain
from recs.layers.found_parts import FoundParts
from recs.layers.multi_task.cgc import CGC


@keras.saving.register_keras_serializable("recs")
class PLE(FoundParts, keras.layers.Layer):
    """Parts what tasks share from what is their own, level by level.

    Each level is a `CGC` on what the one below gave each task and what is shared; the last gives
    the tasks' alone.

    Masking: none. An empty batch gives empty results.

    Args:
        tasks: Names of the tasks; not `"shared"`.
        levels: int. How many levels there are; 1 is a `CGC`. Defaults to `2`.
        shared_experts: int. How many experts all tasks share, at each level. Defaults to `2`.
        task_experts: int. How many experts each task has, at each level. Defaults to `2`.
        units: Sizes of each expert's dense layers. Defaults to `(64,)`.
        activation: Of the experts. Defaults to `"relu"`.
        kernel_regularizer: Of the experts' kernels. Defaults to `None`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(batch, dim)` -> a dict with `(batch, units[-1])` for each task.

    Raises:
        ValueError: as `CGC`, or `levels` is no positive integer.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_task import PLE
    >>> outputs = PLE(["click", "buy"], levels=2, units=(8,))(keras.ops.ones((2, 5)))
    >>> sorted(outputs), outputs["buy"].shape
    (['buy', 'click'], TensorShape([2, 8]))

    ```

    Reference: Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model
    for Personalized Recommendations", RecSys 2020.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        levels: int = 2,
        shared_experts: int = 2,
        task_experts: int = 2,
        units: Sequence[int] = (64,),
        activation: Any = "relu",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(levels, int) or isinstance(levels, bool) or levels < 1:
            raise ValueError(
                explain(
                    "`levels`",
                    rule="must be a positive integer",
                    received=f"levels={levels!r}",
                    where=f"PLE '{self.name}'",
                )
            )
        self._levels = [
            CGC(
                tasks, shared_experts, task_experts, units, activation,
                gives_shared=level < levels - 1, kernel_regularizer=kernel_regularizer,
                dtype=self.dtype_policy, name=f"level_{level}",
            )
            for level in range(levels)
        ]  # fmt: skip

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks."""
        return self._levels[0].tasks

    def build(self, input_shape: Any) -> None:
        """Makes the weights of all levels."""
        for level in self._levels:
            level.build(input_shape)
            input_shape = (*input_shape[:-1], level.get_config()["units"][-1])

    def call(self, inputs: Any) -> dict[str, Any]:
        """Returns each task's vector of the last level."""
        for level in self._levels:
            inputs = level(inputs)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        form = self._levels[0].get_config()
        kept = ("tasks", "shared_experts", "task_experts", "units", "activation")
        return {
            **super().get_config(),
            "levels": len(self._levels),
            **{key: form[key] for key in (*kept, "kernel_regularizer")},
        }
