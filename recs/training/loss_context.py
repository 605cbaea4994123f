"""A Keras call around a loss that the user computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


class LossContext(keras.layers.Layer):
    """Runs a function as the outermost layer of a call.

    Keras hands `training` from a layer to the layers it calls. A `compute_loss` that calls the
    towers itself is no layer's call, so without this they would run as inference. The model is
    held as a sublayer, because the outermost layer of a call is the one that clears the losses
    of the step before, its own and its sublayers'.

    One is made for each trace and dropped after it, so that the model never contains itself.
    """

    def __init__(self, model: keras.Model) -> None:
        # The model's name, so that variables made now get the paths they would get in its `call`.
        # Nothing is cast on the way in, and variables are read in the precision they have.
        super().__init__(name=model.name, dtype="float32", autocast=False)
        self.model = model
        self.built = True

    def call(self, run: Callable[[], Any], training: bool | None = None) -> Any:
        """Returns what `run` returns. A closure: Keras would convert arguments it can see."""
        return run()
