"""The optimizer that a table follows."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

DEFAULT_OPTIMIZER = "Adagrad(0.05)"  # for messages


def updating(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns the optimizer that updates, behind a loss scale."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.inner_optimizer
    return optimizer


def part_for(optimizer: keras.optimizers.Optimizer, anchor: Any) -> keras.optimizers.Optimizer:
    """Returns the optimizer that updates a layer's weight, of one that has several as parts."""
    optimizer_of = getattr(optimizer, "optimizer_of", None)
    return optimizer if optimizer_of is None else optimizer_of(anchor)


class FollowedOptimizer:
    """Which optimizer a table follows, and who scales its loss.

    The layer's own comes first, then the one the model is compiled with, then Adagrad(0.05).

    Not a Keras object, so that Keras neither saves the layer's optimizer beside the model's nor
    counts its variables as the layer's.

    Args:
        own: The layer's own, or None.
    """

    def __init__(self, own: keras.optimizers.Optimizer | None) -> None:
        self.own = own
        self.compiled: keras.optimizers.Optimizer | None = None
        # Of the model whose call the last look-up was part of; it is not followed.
        self.of_model: keras.optimizers.Optimizer | None = None
        self._default: keras.optimizers.Optimizer | None = None

    @property
    def is_default(self) -> bool:
        """Whether there is no optimizer of the layer's own, and none that it was told of."""
        return self.own is None and self.compiled is None

    def resolve(self, anchor: Any) -> tuple[keras.optimizers.Optimizer, Any | None]:
        """Returns the optimizer to follow and the loss scale, or None when there is none.

        Args:
            anchor: The layer's weight. Of a compiled optimizer that has parts, such as
                `recs.experimental.optimizers.CompositeOptimizer`, the one of this weight is it.
        """
        chosen = self.own or self.compiled
        if chosen is None:
            if self._default is None:
                with tf.init_scope():  # its variables outlive the trace that asks first
                    self._default = keras.optimizers.Adagrad(0.05)
            chosen = self._default
        followed = part_for(updating(chosen), anchor)
        scaler = self.loss_scaler
        if scaler is not None and scaler.built:  # Keras builds it when it applies it
            return followed, scaler.dynamic_scale
        scaling = self.compiled if self.compiled is not None else chosen
        factor = updating(scaling).loss_scale_factor if scaling.built else None
        return followed, factor

    @property
    def loss_scaler(self) -> keras.optimizers.LossScaleOptimizer | None:
        """The optimizer that scales the loss by a factor of its own choice, if it is known."""
        for optimizer in (self.compiled, self.own):
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                return optimizer
        return None

    @property
    def loss_scale_is_known(self) -> bool:
        """Whether someone told who scales the loss, or that nobody does.

        That the layer has a scaler of its own says nothing: it may serve for its inner optimizer
        alone. Keras builds the one that it applies.
        """
        scaler = self.loss_scaler
        return self.compiled is not None or (scaler is not None and scaler.built)
