"""Several cross layers of low rank in one."""

from __future__ import annotations

from typing import Any

import keras

from recs.errors import explain
from recs.layers.feature_interaction.kernels import Kernels, check_projection
from recs.layers.found_parts import FoundParts


@keras.saving.register_keras_serializable("recs")
class MultiLayerDCN(FoundParts, keras.layers.Layer):
    """A whole cross network of low rank.

    `x_{l+1} = x_0 * (V_l U_l x_l + b_l) + x_l` for `num_layers` layers, with `U_l` of shape
    `(projection_dim, dim)`. It is a stack of `Cross(projection_dim)` layers, each called with
    `x_0` and the result of the one before.

    Masking: a mask passes through, as rows do not mix. An empty batch gives an empty result.

    Args:
        projection_dim: int. The rank of the matrices; less than `dim / 2` saves time. Defaults to
            `1`.
        num_layers: int. How many layers; products of up to `num_layers + 1` features come about.
            Defaults to `3`.
        use_bias: bool. Whether there are `b_l`. Defaults to `True`.
        kernel_initializer: Of all `U_l` and `V_l`. Defaults to `"truncated_normal"`.
        bias_initializer: Of all `b_l`. Defaults to `"zeros"`.
        kernel_regularizer: Of all `U_l` and `V_l`. Defaults to `None`, for none.
        bias_regularizer: Of all `b_l`. Defaults to `None`, for none.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(..., dim)` -> `(..., dim)` in the compute dtype.

    Raises:
        ValueError: when `projection_dim` or `num_layers` is no positive integer.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.feature_interaction import MultiLayerDCN
    >>> dcn = MultiLayerDCN(num_layers=2, kernel_initializer="ones")
    >>> dcn(np.array([[1.0, 2.0]], "float32")).numpy().tolist()
    [[16.0, 32.0]]

    ```

    Reference: [Wang et al., 2021](https://arxiv.org/abs/2008.13535), equation 2;
    `tfrs.layers.feature_interaction.MultiLayerDCN`. The weights have TFRS's order: all `U_l`, then
    `V_l` and `b_l` of each layer.
    """

    def __init__(
        self,
        projection_dim: int = 1,
        num_layers: int = 3,
        use_bias: bool = True,
        kernel_initializer: Any = "truncated_normal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = f"MultiLayerDCN '{self.name}'"
        check_projection(projection_dim, where, may_be_none=False)
        if isinstance(num_layers, bool) or not isinstance(num_layers, int) or num_layers < 1:
            raise ValueError(
                explain(
                    "`num_layers`",
                    rule="must be a positive integer",
                    received=f"num_layers={num_layers!r}",
                    where=where,
                )
            )
        self.projection_dim = projection_dim
        self.num_layers = num_layers
        self.use_bias = use_bias
        self._kernels = Kernels(
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer
        )
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes the weights of all layers for the width of the input."""
        policy, layers = self.dtype_policy, range(self.num_layers)
        self._down = [
            self._kernels.down(self.projection_dim, dtype=policy, name=f"down_{i}") for i in layers
        ]
        self._up = [
            self._kernels.up(input_shape[-1], self.use_bias, dtype=policy, name=f"up_{i}")
            for i in layers
        ]
        for down in self._down:
            down.build(input_shape)
        for up in self._up:
            up.build((*input_shape[:-1], self.projection_dim))

    def call(self, x0: Any) -> Any:
        """Returns what the last layer gives."""
        x = x0
        for down, up in zip(self._down, self._up, strict=True):
            x = x0 * up(down(x)) + x
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "projection_dim": self.projection_dim,
            "num_layers": self.num_layers,
            "use_bias": self.use_bias,
            **self._kernels.get_config(),
        }
