"""Experts that all tasks share, and a gate a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.layers.checked import checked_names
from recs.layers.multi_task.experts import Experts


@keras.saving.register_keras_serializable("recs")
class MMoE(keras.layers.Layer):
    """Mixes shared experts for each task, by a gate of the task's own.

    `h_t = sum_e g_t(x)_e f_e(x)` with `g_t(x) = softmax(G_t x)`. Tasks that agree come to use the
    same experts, others part.

    Masking: none. An empty batch gives empty results.

    Args:
        tasks: Names of the tasks.
        experts: How many experts, or the experts themselves, Keras layers. Defaults to `4`.
        units: Sizes of each expert's dense layers. Defaults to `(64,)`.
        activation: Of the experts. Defaults to `"relu"`.
        gate_dropout: float. The rate at which an example goes without an expert in training, which
            keeps a gate from one expert alone; the others' parts grow to a sum of one. Defaults to
            `0.0`.
        kernel_regularizer: Of the experts' kernels. Defaults to `None`.
        seed: int. Decides the dropout. Defaults to `None`: drawn anew.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, dim)`.
        training: bool. Whether there is dropout.

    Shapes: -> a dict with `(batch, units[-1])` for each task.

    Raises:
        ValueError: `tasks` are no different names, `experts` or `units` no positive integers.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_task import MMoE
    >>> outputs = MMoE(["click", "buy"], experts=3, units=(8,))(keras.ops.ones((2, 5)))
    >>> sorted(outputs), outputs["buy"].shape
    (['buy', 'click'], TensorShape([2, 8]))

    ```

    Reference: Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate
    Mixture-of-Experts", KDD 2018; dropout of experts: Zhao et al., "Recommending What Video to
    Watch Next", RecSys 2019.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        experts: int | Sequence[keras.layers.Layer] = 4,
        units: Sequence[int] = (64,),
        activation: Any = "relu",
        gate_dropout: float = 0.0,
        kernel_regularizer: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = checked_names(tasks, f"MMoE '{self.name}'")
        self.gate_dropout = gate_dropout
        self.seed = seed
        self._experts = Experts(
            experts, units, activation, kernel_regularizer=kernel_regularizer,
            dtype=self.dtype_policy, name="experts",
        )  # fmt: skip
        self._gates = Experts(
            len(self.tasks), (self._experts.count,), None, dtype=self.dtype_policy, name="gates"
        )
        self._random = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        """Makes the weights of experts and gates."""
        self._experts.build(input_shape)
        self._gates.build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> dict[str, Any]:
        """Returns each task's mixture."""
        # (batch, tasks, experts) x (batch, experts, units)
        mixed = ops.matmul(self._parts(inputs, training), self._experts(inputs))
        return {task: mixed[:, t] for t, task in enumerate(self.tasks)}

    def _parts(self, inputs: Any, training: bool) -> Any:
        logits = self._gates(inputs)
        if training and self.gate_dropout > 0:
            drawn = keras.random.uniform(ops.shape(logits), dtype="float32", seed=self._random)
            # An example never loses all of its experts: the strongest stays.
            strongest = logits >= ops.max(logits, axis=-1, keepdims=True)
            kept = ops.logical_or(drawn >= self.gate_dropout, strongest)
            logits = ops.where(kept, logits, ops.cast(-1e4, logits.dtype))
        return ops.softmax(logits, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        experts = self._experts.get_config()
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            **{key: experts[key] for key in ("experts", "units", "activation")},
            "gate_dropout": self.gate_dropout,
            "kernel_regularizer": experts["kernel_regularizer"],
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MMoE:
        """Rebuilds the layer from `get_config`."""
        config = dict(config)
        if not isinstance(config["experts"], int):
            config["experts"] = [
                keras.saving.deserialize_keras_object(expert) for expert in config["experts"]
            ]
        return cls(**config)
