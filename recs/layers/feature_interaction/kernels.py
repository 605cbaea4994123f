"""Dense parts of cross networks, and their arguments."""

from __future__ import annotations

from typing import Any

import keras

from recs.errors import explain


class Kernels:
    """Initializers and regularizers of the dense layers of a cross network.

    Args:
        kernel_initializer: What Keras takes for an initializer.
        bias_initializer: Likewise.
        kernel_regularizer: What Keras takes for a regularizer, or None.
        bias_regularizer: Likewise.
    """

    def __init__(
        self,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
    ) -> None:
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)

    def down(self, units: int, **kwargs: Any) -> keras.layers.Dense:
        """Returns a dense layer into the projection: no bias, no activation."""
        return keras.layers.Dense(
            units,
            use_bias=False,
            kernel_initializer=_of_its_own(self.kernel_initializer),
            kernel_regularizer=self.kernel_regularizer,
            **kwargs,
        )

    def up(self, units: int, use_bias: bool, **kwargs: Any) -> keras.layers.Dense:
        """Returns a dense layer to the width of the input."""
        return keras.layers.Dense(
            units,
            use_bias=use_bias,
            kernel_initializer=_of_its_own(self.kernel_initializer),
            bias_initializer=_of_its_own(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, as Keras saves them."""
        return {
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
        }


def check_projection(projection_dim: Any, where: str, may_be_none: bool) -> None:
    """Raises unless a projection has a positive size, or none where that is allowed."""
    if projection_dim is None and may_be_none:
        return
    if isinstance(projection_dim, bool) or not isinstance(projection_dim, int):
        good = False
    else:
        good = projection_dim > 0
    if not good:
        raise ValueError(
            explain(
                "`projection_dim`",
                rule="must be a positive integer" + (" or None" if may_be_none else ""),
                received=f"projection_dim={projection_dim!r}",
                where=where,
            )
        )


def _of_its_own(initializer: Any) -> Any:
    """Returns a copy: one Keras initializer without a seed gives every weight the same values."""
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    return type(initializer).from_config(initializer.get_config())
