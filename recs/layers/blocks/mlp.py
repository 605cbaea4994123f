"""A stack of dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from recs.layers.checked import checked_units
from recs.layers.dense_chain import through
from recs.layers.found_parts import FoundParts


@keras.saving.register_keras_serializable("recs")
class MLP(FoundParts, keras.layers.Layer):
    """Dense layers, one after the other.

    `y = f(W_n h_{n-1} + b_n)` with `h_i = a(W_i h_{i-1} + b_i)` and `h_0 = x`: `a` is
    `activation`, `f` is `final_activation`. The last axis of the input is transformed, the others
    are kept.

    Masking: a mask passes through, as rows do not mix. An empty batch gives an empty result.

    Args:
        units: Sizes of the layers, the last one being the output's.
        use_bias: bool. Whether the layers have biases. Defaults to `True`.
        activation: What Keras takes for an activation, of all layers but the last. Defaults to
            `"relu"`.
        final_activation: The same, of the last. Defaults to `None`, which is linear.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(..., dim)` -> `(..., units[-1])` in the compute dtype.

    Raises:
        ValueError: when `units` are no positive integers.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.blocks import MLP
    >>> mlp = MLP([8, 1], final_activation="sigmoid")
    >>> mlp(np.ones((2, 4), "float32")).shape
    TensorShape([2, 1])

    ```

    Reference: `tfrs.layers.blocks.MLP`.
    """

    def __init__(
        self,
        units: Sequence[int],
        use_bias: bool = True,
        activation: Any = "relu",
        final_activation: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = checked_units(units, f"MLP '{self.name}'")
        self.use_bias = use_bias
        self.activation = keras.activations.get(activation)
        self.final_activation = keras.activations.get(final_activation)
        activations = [self.activation] * (len(self.units) - 1) + [self.final_activation]
        self._dense = [
            keras.layers.Dense(
                size,
                activation=function,
                use_bias=use_bias,
                dtype=self.dtype_policy,
                name=f"dense_{number}",
            )
            for number, (size, function) in enumerate(zip(self.units, activations, strict=True))
        ]
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes the weights of every layer."""
        for dense in self._dense:
            dense.build(input_shape)
            input_shape = dense.compute_output_shape(input_shape)

    def call(self, x: Any) -> Any:
        """Returns what the last layer makes of the input."""
        return through(self._dense, x)

    @property
    def layers(self) -> list[Any]:
        """The dense layers, in their order."""
        return list(self._dense)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape with the last axis replaced."""
        return (*input_shape[:-1], self.units[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "units": list(self.units),
            "use_bias": self.use_bias,
            "activation": keras.activations.serialize(self.activation),
            "final_activation": keras.activations.serialize(self.final_activation),
        }
