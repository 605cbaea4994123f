"""The cross layer of deep and cross networks."""

from __future__ import annotations

from typing import Any

import keras

from recs.errors import explain
from recs.layers.feature_interaction.kernels import Kernels, check_projection


@keras.saving.register_keras_serializable("recs")
class Cross(keras.layers.Layer):
    """Products of the features with a linear map of them, added to them.

    `y = x0 * (f(W x + b) + diag_scale * x) + x`, element by element, where `x0` are the features
    and `x` is what the cross layer before gave (`x0` itself for the first). `n` such layers, one
    after the other, make all products of up to `n + 1` features. With `projection_dim` the matrix
    has low rank: `W = V U`, with `U` of shape `(projection_dim, dim)`.

    Masking: a mask passes through, as rows do not mix. An empty batch gives an empty result.

    Args:
        projection_dim: int. The rank of `W`; less than `dim / 2` saves time, and `dim / 4` often
            costs no accuracy. Defaults to `None`: `W` has full rank.
        diag_scale: float, at least 0. Added to the diagonal of `W`, which steadies training,
            above all at a low rank. Defaults to `0.0`.
        use_bias: bool. Whether there is a `b`. Defaults to `True`.
        preactivation: `f`, what Keras takes for an activation. Defaults to `None`, for none.
        kernel_initializer: Of `W`, or of `U` and `V`. Defaults to `"truncated_normal"`.
        bias_initializer: Of `b`. Defaults to `"zeros"`.
        kernel_regularizer: Of `W`, or of `U` and `V`. Defaults to `None`, for none.
        bias_regularizer: Of `b`. Defaults to `None`, for none.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `x0 (..., dim)` and `x (..., dim)`, or `x0` alone -> `(..., dim)` in the compute dtype.

    Raises:
        ValueError: when `diag_scale` is negative, `projection_dim` is not positive, or the widths
            of `x0` and `x` differ.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.feature_interaction import Cross
    >>> x0 = np.array([[1.0, 2.0]], "float32")
    >>> Cross(kernel_initializer="ones")(x0, x0).numpy().tolist()
    [[4.0, 8.0]]

    ```

    Reference: [Wang et al., 2021](https://arxiv.org/abs/2008.13535), equations 1 and 2;
    `tfrs.layers.feature_interaction.Cross`.
    """

    def __init__(
        self,
        projection_dim: int | None = None,
        diag_scale: float | None = 0.0,
        use_bias: bool = True,
        preactivation: Any = None,
        kernel_initializer: Any = "truncated_normal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_projection(projection_dim, self._where, may_be_none=True)
        if diag_scale is not None and not diag_scale >= 0:
            raise ValueError(
                explain(
                    "`diag_scale`",
                    rule="must be at least 0",
                    received=f"diag_scale={diag_scale!r}",
                    where=self._where,
                )
            )
        self.projection_dim = projection_dim
        self.diag_scale = diag_scale
        self.use_bias = use_bias
        self.preactivation = keras.activations.get(preactivation)
        self._kernels = Kernels(
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer
        )
        self.supports_masking = True

    @property
    def _where(self) -> str:
        return f"Cross '{self.name}'"

    def build(self, x0_shape: Any, x_shape: Any = None) -> None:
        """Makes the weights for the width of `x0`."""
        width = x0_shape[-1]
        policy = self.dtype_policy
        self._down = None
        if self.projection_dim is not None:
            self._down = self._kernels.down(self.projection_dim, dtype=policy, name="down")
            self._down.build(x0_shape)
        self._up = self._kernels.up(
            width, self.use_bias, activation=self.preactivation, dtype=policy, name="up"
        )
        self._up.build((*x0_shape[:-1], self.projection_dim or width))

    def call(self, x0: Any, x: Any = None) -> Any:
        """Returns the crosses.

        Args:
            x0: The features.
            x: What the cross layer before gave. Defaults to `None`, which is `x0`.
        """
        if x is None:
            x = x0
        if x0.shape[-1] != x.shape[-1]:
            raise ValueError(
                explain(
                    "`x0` and `x`",
                    rule="must have the same width",
                    received=f"shapes {tuple(x0.shape)} and {tuple(x.shape)}",
                    where=self._where,
                )
            )
        product = self._up(x if self._down is None else self._down(x))
        if self.diag_scale:
            product = product + self.diag_scale * x
        return x0 * product + x

    def compute_output_shape(self, x0_shape: Any, x_shape: Any = None) -> Any:
        """Returns the shape of `x0`."""
        return tuple(x0_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "projection_dim": self.projection_dim,
            "diag_scale": self.diag_scale,
            "use_bias": self.use_bias,
            "preactivation": keras.activations.serialize(self.preactivation),
            **self._kernels.get_config(),
        }
