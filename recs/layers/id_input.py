"""Base class of layers that take ids."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class IdInput(keras.layers.Layer):
    """Lets a layer's input be ids, which no dtype policy may round.

    Attributes:
        key_dtype: The dtype of the ids, `"int64"` or `"string"`.
    """

    key_dtype: str

    @property
    def compute_dtype(self) -> str:
        """The dtype of the ids: a `Sequential` gives it to the input of its first layer.

        The outputs have the compute dtype of the layer's `dtype_policy`.
        """
        return str(self.key_dtype)

    @property
    def variable_dtype(self) -> str:
        """As `compute_dtype`, or Keras would cast between the two; weights state their own."""
        return str(self.key_dtype)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer; also takes lists of ids, as `tf.constant` would."""
        if isinstance(inputs, list | tuple | str | bytes | int):
            inputs = tf.convert_to_tensor(inputs)
        return super().__call__(inputs, *args, **kwargs)
