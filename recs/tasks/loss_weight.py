"""Weighs the losses that layers add, without taking them out of Keras's hands."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class LossWeight:
    """Makes the losses of a layer, and of all layers inside it, count `weight` times.

    Keras collects what layers add and what weights' regularizers say, through however many levels
    of nesting, and a model adds all of it once. That stays so: for losses `r` the layer adds
    `(weight - 1) * r` on top. A weight's regularizer is corrected once a step, as Keras counts it,
    however often the layer is called.

    Args:
        layer: The outer layer, whose `call` does what is weighed.
        weight: How much the losses count.
    """

    def __init__(self, layer: keras.layers.Layer, weight: float) -> None:
        self._layer = layer
        self._weight = weight
        self._corrections: list[Any] = []

    def before(self) -> list[Any]:
        """Returns what was added earlier in the step, for `correct`."""
        return [] if self._weight == 1 else self._split()[0]

    def correct(self, before: list[Any]) -> None:
        """Adds what makes the losses added since `before` count with the weight.

        Args:
            before: What `before` returned.
        """
        if self._weight == 1:
            return
        added, of_weights = self._split()
        old = {id(x) for x in before}
        new = [x for x in added if id(x) not in old]
        # Corrections of this step are still among the losses; those of earlier ones are not.
        mine = {id(x) for x in self._corrections}
        first = not any(id(x) in mine for x in added)
        due = [ops.sum(ops.cast(x, "float32")) for x in (*new, *(of_weights if first else ()))]
        total = ops.sum(ops.stack(due)) if due else ops.zeros((), "float32")
        correction = (self._weight - 1) * total
        self._corrections = [correction] if first else [*self._corrections, correction]
        self._layer.add_loss(correction)

    def _split(self) -> tuple[list[Any], list[Any]]:
        """Returns what calls have added, and what weights' regularizers say."""
        # Keras keeps the former, and makes the latter anew whenever it is asked.
        once, again = self._layer.losses, {id(x): x for x in self._layer.losses}
        return [x for x in once if id(x) in again], [x for x in once if id(x) not in again]
