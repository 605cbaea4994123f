"""A feed-forward network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


def create_tower(
    hidden_layer_dims: Sequence[int],
    output_units: int,
    activation: Any = None,
    input_batch_norm: bool = False,
    use_batch_norm: bool = True,
    batch_norm_moment: float = 0.999,
    dropout: float | None = 0.5,
    name: str | None = None,
    **kwargs: Any,
) -> keras.Sequential:
    """Returns a feed-forward network: dense, batch normalization, activation, dropout, and again.

    Args:
        hidden_layer_dims: How wide each hidden layer is.
        output_units: How many numbers come out.
        activation: Of the hidden layers, as `keras.layers.Activation` takes it. Defaults to
            `None`, the identity.
        input_batch_norm: Whether the inputs are normalized too. Defaults to `False`.
        use_batch_norm: Whether hidden layers are. Defaults to `True`.
        batch_norm_moment: The momentum of the moving averages. Defaults to `0.999`.
        dropout: The rate behind every hidden layer; None or 0 for none. Defaults to `0.5`.
        name: The network's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: Arguments of every dense layer, such as `kernel_regularizer`.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.ranking import create_tower
    >>> create_tower([64, 32], 1, "relu")(keras.ops.ones((2, 3, 8))).shape
    TensorShape([2, 3, 1])

    ```

    Reference: `tfr.keras.layers.create_tower`, whose further arguments, meant for the dense layers,
    end in an error.
    """
    layers: list[keras.layers.Layer] = []
    if input_batch_norm:
        layers.append(keras.layers.BatchNormalization(momentum=batch_norm_moment))
    for width in hidden_layer_dims:
        layers.append(keras.layers.Dense(width, **kwargs))
        if use_batch_norm:
            layers.append(keras.layers.BatchNormalization(momentum=batch_norm_moment))
        layers.append(keras.layers.Activation(activation))
        if dropout:
            layers.append(keras.layers.Dropout(dropout))
    layers.append(keras.layers.Dense(output_units, **kwargs))
    return keras.Sequential(layers, name=name)
