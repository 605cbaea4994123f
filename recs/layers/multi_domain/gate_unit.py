"""Factors about one, from what is known beforehand."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain


@keras.saving.register_keras_serializable("recs")
class GateUnit(keras.layers.Layer):
    """Makes a factor for each unit of a layer, between 0 and `scale`.

    `d = scale * sigmoid(W2 relu(W1 p + b1) + b2)`. With a scale of 2 factors begin about 1, and
    what they multiply begins as it is. It is what `EPNetGate`, `PPNet` and `POSO` are made of.

    Masking: none. An empty batch gives an empty result.

    Args:
        units: int. How many factors.
        hidden_units: int. Size of the hidden layer. Defaults to `None`: as many as `units`.
        scale: float. The greatest factor. Defaults to `2.0`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(batch, dim)` -> `(batch, units)`.

    Raises:
        ValueError: `units` is not positive.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_domain import GateUnit
    >>> GateUnit(3)(keras.ops.zeros((1, 4))).numpy().tolist()
    [[1.0, 1.0, 1.0]]

    ```

    Reference: Chang et al., "PEPNet: Parameter and Embedding Personalized Network for Infusing with
    Personalized Prior Information", KDD 2023 (Gate NU).
    """

    def __init__(
        self, units: int, hidden_units: int | None = None, scale: float = 2.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if units < 1:
            rule, where = "must be a positive integer", f"GateUnit '{self.name}'"
            raise ValueError(explain("`units`", rule=rule, received=f"{units=}", where=where))
        self.units = units
        self.hidden_units = hidden_units
        self.scale = scale
        policy = self.dtype_policy
        self._hidden = keras.layers.Dense(
            hidden_units or units, "relu", dtype=policy, name="hidden"
        )
        self._factors = keras.layers.Dense(units, "sigmoid", dtype=policy, name="factors")

    def build(self, input_shape: Any) -> None:
        """Makes the weights of both layers."""
        self._hidden.build(input_shape)
        self._factors.build((None, self._hidden.units))

    def call(self, inputs: Any) -> Any:
        """Returns the factors."""
        return self._factors(self._hidden(inputs)) * self.scale

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "hidden_units": self.hidden_units,
            "scale": self.scale,
        }


def with_frozen(prior: Any, inputs: Any, dtype: Any) -> Any:
    """Returns the prior beside inputs that get no gradient through it."""
    frozen = ops.stop_gradient(ops.cast(inputs, dtype))
    return ops.concatenate([ops.cast(prior, dtype), frozen], axis=-1)
