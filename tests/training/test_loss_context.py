"""The call around a loss."""

from __future__ import annotations

import keras
import pytest

from recs.training.loss_context import LossContext


class Asks(keras.layers.Layer):
    def call(self, x, training=None):
        return training


@pytest.mark.parametrize("training", [True, False])
def test_hands_training_on_and_leaves_no_trace(training):
    asks = Asks()
    model = keras.Sequential([asks])
    context = LossContext(model)
    x = keras.ops.ones(())
    assert context(run=lambda: asks(x), training=training) is training
    assert asks(x) is None
    assert context not in model._flatten_layers()
    assert context.name == model.name
