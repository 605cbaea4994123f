"""Embeddings that each domain weighs in its own way."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.layers.multi_domain.gate_unit import GateUnit, with_frozen


@keras.saving.register_keras_serializable("recs")
class EPNetGate(keras.layers.Layer):
    """Scales every element of the embeddings by what is known of the domain.

    `o = d * e` with `d = gate([p, stop(e)])`: `e` the embeddings, `p` the prior, such as an
    embedding of the domain and counts in it, and `gate` a `GateUnit`. The embeddings learn through
    the product and not through the gate (`stop`).

    Masking: none. An empty batch gives an empty result.

    Args:
        hidden_units: int. Size of the gate's hidden layer. Defaults to `None`: that of `e`.
        scale: float. The greatest factor. Defaults to `2.0`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, dim)`, the embeddings.
        prior: `(batch, prior_dim)`.

    Shapes: -> `(batch, dim)`.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_domain import EPNetGate
    >>> EPNetGate()(keras.ops.ones((2, 6)), keras.ops.ones((2, 3))).shape
    TensorShape([2, 6])

    ```

    Reference: Chang et al., "PEPNet: Parameter and Embedding Personalized Network for Infusing with
    Personalized Prior Information", KDD 2023.
    """

    def __init__(self, hidden_units: int | None = None, scale: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_units = hidden_units
        self.scale = scale

    def build(self, inputs_shape: Any, prior_shape: Any) -> None:
        """Makes the gate, as wide as the embeddings."""
        dim = inputs_shape[-1]
        self._gate = GateUnit(
            dim, self.hidden_units, self.scale, dtype=self.dtype_policy, name="gate"
        )
        self._gate.build((None, dim + prior_shape[-1]))

    def call(self, inputs: Any, prior: Any) -> Any:
        """Returns the scaled embeddings."""
        factors = self._gate(with_frozen(prior, inputs, self.compute_dtype))
        return ops.cast(inputs, self.compute_dtype) * factors

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "scale": self.scale,
        }
