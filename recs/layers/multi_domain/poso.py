"""Dense layers whose results groups of users weigh in their own way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.layers.checked import checked_units
from recs.layers.found_parts import FoundParts
from recs.layers.multi_domain.gate_unit import GateUnit


@keras.saving.register_keras_serializable("recs")
class POSO(FoundParts, keras.layers.Layer):
    """A stack of dense layers, each one's results scaled by a gate of what tells groups apart.

    `h_{l+1} = c g_l(p) * a(W_l h_l + b_l)`, `h_0 = x`: `p` the prior, such as whether the user is
    new, or an embedding of the domain, and `g_l` a small network ending in sigmoids. A feature that
    few samples have is lost among hundreds; as a gate it is not.

    Masking: none. An empty batch gives an empty result.

    Args:
        units: Sizes of the layers. Defaults to `(64, 32)`.
        activation: Of all layers. Defaults to `"relu"`.
        gate_units: int. Size of the gates' hidden layers. Defaults to `None`: as many as factors.
        scale: float. `c`, the greatest factor. Defaults to `2.0`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, dim)`.
        prior: `(batch, prior_dim)`.

    Shapes: -> `(batch, units[-1])`.

    Raises:
        ValueError: `units` are no positive integers.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_domain import POSO
    >>> POSO((8, 4))(keras.ops.ones((2, 6)), keras.ops.ones((2, 3))).shape
    TensorShape([2, 4])

    ```

    Reference: Dai et al., "POSO: Personalized Cold Start Modules for Large-scale Recommender
    Systems", arXiv 2108.04690, 2021 (the MLP's form).
    """

    def __init__(
        self,
        units: Sequence[int] = (64, 32),
        activation: Any = "relu",
        gate_units: int | None = None,
        scale: float = 2.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = checked_units(units, f"POSO '{self.name}'")
        self.activation = keras.activations.get(activation)
        self.gate_units = gate_units
        self.scale = scale
        policy = {"dtype": self.dtype_policy}
        self._dense = [
            keras.layers.Dense(size, self.activation, name=f"dense_{n}", **policy)
            for n, size in enumerate(self.units)
        ]
        self._gates = [
            GateUnit(size, gate_units, scale, name=f"gate_{n}", **policy)
            for n, size in enumerate(self.units)
        ]

    def build(self, inputs_shape: Any, prior_shape: Any) -> None:
        """Makes layers and gates."""
        width = inputs_shape[-1]
        for dense, gate in zip(self._dense, self._gates, strict=True):
            dense.build((None, width))
            gate.build((None, prior_shape[-1]))
            width = dense.units

    def call(self, inputs: Any, prior: Any) -> Any:
        """Returns what the last layer makes of the input."""
        x, prior = (ops.cast(one, self.compute_dtype) for one in (inputs, prior))
        for dense, gate in zip(self._dense, self._gates, strict=True):
            x = dense(x) * gate(prior)
        return x

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "units": list(self.units),
            "activation": keras.activations.serialize(self.activation),
            "gate_units": self.gate_units,
            "scale": self.scale,
        }
