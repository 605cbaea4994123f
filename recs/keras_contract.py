"""What is known of Keras's inside and stands in no page of its documentation.

Each function here has a test in `tests/test_keras_contract.py` that fails when a release of Keras
behaves differently.
"""

from __future__ import annotations

from typing import Any

import keras


def outermost_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Returns the layer or model whose call a call of this layer is part of, or the layer itself.

    To be asked before the layer's own `__call__` begins. Keras keeps one context for all layers of
    a call, which names the outermost, and clears it when that one returns.

    Args:
        layer: The layer that is about to be called.
    """
    outermost: keras.layers.Layer = layer._get_call_context().entry_layer
    if outermost is layer:  # the question itself has made a context
        layer._maybe_reset_call_context()
    return outermost


def updating_optimizers(optimizer: Any) -> list[keras.optimizers.Optimizer]:
    """Returns the optimizers behind a loss scale, and behind one that has several as parts."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    parts = getattr(inner, "optimizers", None)
    if parts is None:
        return [inner] if isinstance(inner, keras.optimizers.Optimizer) else []
    return [one for part in parts for one in updating_optimizers(part)]
