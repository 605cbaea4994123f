"""Experts that tasks share, experts of each task's own, and a gate a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.checked import checked_names
from recs.layers.found_parts import FoundParts
from recs.layers.multi_task.experts import Experts

SHARED = "shared"  # what the experts of all are called, among the names of tasks


@keras.saving.register_keras_serializable("recs")
class CGC(FoundParts, keras.layers.Layer):
    """Mixes, for each task, experts that all share with experts of the task's own.

    `h_t = sum_e g_t(x_t)_e f_e`, where `e` goes through the task's own experts on `x_t` and the
    shared ones on `x_shared`, and `g_t(x_t) = softmax(G_t x_t)`. What tasks have in common is
    learnt apart from what is one task's own, so that a task cannot spoil the other's experts. `PLE`
    puts several of these on top of each other.

    Masking: none. An empty batch gives empty results.

    Args:
        tasks: Names of the tasks; not `"shared"`.
        shared_experts: int. How many experts all tasks share. Defaults to `2`.
        task_experts: int. How many experts each task has. Defaults to `2`.
        units: Sizes of each expert's dense layers. Defaults to `(64,)`.
        activation: Of the experts. Defaults to `"relu"`.
        gives_shared: bool. Whether the result has an entry `"shared"`, for another level: all
            experts of all tasks, mixed by a gate of its own. Defaults to `False`.
        kernel_regularizer: Of the experts' kernels. Defaults to `None`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, dim)`, or a dict of such for every task and `"shared"`.

    Shapes: -> a dict with `(batch, units[-1])` for each task, and `"shared"` if asked for.

    Raises:
        ValueError: `tasks` are no different names, numbers of experts or `units` no positive
            integers, or a dict of inputs lacks one.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_task import CGC
    >>> outputs = CGC(["click", "buy"], units=(8,))(keras.ops.ones((2, 5)))
    >>> sorted(outputs), outputs["buy"].shape
    (['buy', 'click'], TensorShape([2, 8]))

    ```

    Reference: Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model
    for Personalized Recommendations", RecSys 2020.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        shared_experts: int = 2,
        task_experts: int = 2,
        units: Sequence[int] = (64,),
        activation: Any = "relu",
        gives_shared: bool = False,
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = checked_names(tasks, f"CGC '{self.name}'")
        if SHARED in self.tasks:
            raise ValueError(
                explain(
                    "`tasks`",
                    rule=f"must not have the name {SHARED!r}, which is that of what all share",
                    received=f"tasks={list(tasks)!r}",
                    where=f"CGC '{self.name}'",
                )
            )
        self.shared_experts = shared_experts
        self.task_experts = task_experts
        self.gives_shared = gives_shared
        shared_form = {"activation": activation, "kernel_regularizer": kernel_regularizer}
        self._experts = {
            name: Experts(
                shared_experts if name == SHARED else task_experts, units,
                dtype=self.dtype_policy, name=f"experts_{name}", **shared_form,
            )
            for name in [*self.tasks, SHARED]
        }  # fmt: skip
        every = shared_experts + task_experts * len(self.tasks)
        gates = dict.fromkeys(self.tasks, shared_experts + task_experts)
        if gives_shared:
            gates[SHARED] = every
        self._gates = {
            name: keras.layers.Dense(
                count, "softmax", use_bias=False, dtype=self.dtype_policy, name=f"gate_{name}"
            )
            for name, count in gates.items()
        }

    def build(self, input_shape: Any) -> None:
        """Makes the weights of experts and gates."""
        if isinstance(input_shape, Mapping):
            self._check(input_shape)
        for name, layer in (*self._experts.items(), *self._gates.items()):
            layer.build(input_shape[name] if isinstance(input_shape, Mapping) else input_shape)

    def call(self, inputs: Any) -> dict[str, Any]:
        """Returns each task's mixture."""
        names = [*self.tasks, SHARED]
        if not isinstance(inputs, Mapping):
            inputs = dict.fromkeys(names, inputs)
        made = {name: self._experts[name](inputs[name]) for name in names}
        mixed = {}
        for name, gate in self._gates.items():
            seen = names if name == SHARED else [name, SHARED]
            experts = ops.concatenate([made[one] for one in seen], axis=1)
            parts = ops.expand_dims(gate(inputs[name]), 1)
            mixed[name] = ops.squeeze(ops.matmul(parts, experts), 1)
        return mixed

    def _check(self, inputs: Mapping[str, Any]) -> None:
        missing = {*self.tasks, SHARED} - set(inputs)
        if missing:
            raise ValueError(
                explain(
                    "Inputs",
                    rule=f"must be one tensor, or one for each task and {SHARED!r}",
                    received=f"a dict without {sorted(missing)}",
                    where=f"CGC '{self.name}'",
                )
            )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        form = self._experts[SHARED].get_config()
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "shared_experts": self.shared_experts,
            "task_experts": self.task_experts,
            "gives_shared": self.gives_shared,
            **{key: form[key] for key in ("units", "activation", "kernel_regularizer")},
        }
