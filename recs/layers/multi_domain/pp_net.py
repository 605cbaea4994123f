"""Networks whose units each sample weighs in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.layers.checked import checked_names, checked_units
from recs.layers.found_parts import FoundParts
from recs.layers.multi_domain.gate_unit import GateUnit, with_frozen


@keras.saving.register_keras_serializable("recs")
class PPNet(FoundParts, keras.layers.Layer):
    """A network for each task, whose layers' inputs are scaled by what is known of the sample.

    `h_{l+1} = a((d_l * h_l) W_l + b_l)`, `h_0 = x`, with `d_l = gate_l([p, stop(x)])`: `p` the
    prior, such as embeddings of the user, the item and its author, and `gate_l` a `GateUnit` of
    the task's layer. Neither `x` learns through the gates (`stop`).

    Masking: none. An empty batch gives empty results.

    Args:
        tasks: Names of the tasks.
        units: Sizes of each network's layers. Defaults to `(64, 32, 1)`.
        activation: Of all layers but the last, which is linear. Defaults to `"relu"`.
        gate_units: int. Size of the gates' hidden layers. Defaults to `None`: as many as factors.
        scale: float. The greatest factor. Defaults to `2.0`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, dim)`.
        prior: `(batch, prior_dim)`.

    Shapes: -> a dict with `(batch, units[-1])` for each task, float32.

    Raises:
        ValueError: `tasks` are no different names, or `units` no positive integers.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_domain import PPNet
    >>> outputs = PPNet(["click", "buy"], (8, 1))(keras.ops.ones((2, 6)), keras.ops.ones((2, 3)))
    >>> sorted(outputs), outputs["buy"].shape
    (['buy', 'click'], TensorShape([2, 1]))

    ```

    Reference: Chang et al., "PEPNet: Parameter and Embedding Personalized Network for Infusing with
    Personalized Prior Information", KDD 2023.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        units: Sequence[int] = (64, 32, 1),
        activation: Any = "relu",
        gate_units: int | None = None,
        scale: float = 2.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = checked_names(tasks, f"PPNet '{self.name}'")
        self.units = checked_units(units, f"PPNet '{self.name}'")
        self.activation = keras.activations.get(activation)
        self.gate_units = gate_units
        self.scale = scale

    def build(self, inputs_shape: Any, prior_shape: Any) -> None:
        """Makes layers and gates."""
        seen = (None, inputs_shape[-1] + prior_shape[-1])
        policy = {"dtype": self.dtype_policy}
        all_gates, all_dense = {}, {}
        for task in self.tasks:
            width = inputs_shape[-1]
            gates, dense = [], []
            for n, size in enumerate(self.units):
                gates.append(
                    GateUnit(width, self.gate_units, self.scale, name=f"gate_{task}_{n}", **policy)
                )
                gates[-1].build(seen)
                last = n == len(self.units) - 1
                activation = None if last else self.activation
                dense.append(keras.layers.Dense(size, activation, name=f"{task}_{n}", **policy))
                dense[-1].build((None, width))
                width = size
            all_gates[task], all_dense[task] = gates, dense
        self._gates, self._dense = all_gates, all_dense

    def call(self, inputs: Any, prior: Any) -> dict[str, Any]:
        """Returns each task's prediction."""
        seen = with_frozen(prior, inputs, self.compute_dtype)
        outputs = {}
        for task in self.tasks:
            x = ops.cast(inputs, self.compute_dtype)
            for gate, dense in zip(self._gates[task], self._dense[task], strict=True):
                x = dense(x * gate(seen))
            outputs[task] = ops.cast(x, "float32")
        return outputs

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "units": list(self.units),
            "activation": keras.activations.serialize(self.activation),
            "gate_units": self.gate_units,
            "scale": self.scale,
        }
