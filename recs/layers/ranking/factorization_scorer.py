"""A scorer of embeddings: biases, products of pairs, and a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.found_parts import FoundParts


@keras.saving.register_keras_serializable("recs")
class FactorizationScorer(FoundParts, keras.layers.Layer):
    """Scores an item by the embeddings of what is known of it and of its list.

    The vectors of the features, all `field_dim` long, stand side by side. The first number of each
    is the feature's bias `b_f`; the others, `v_f`, interact, and a network may look at all:

        score = sum_f b_f + sum_{f < g} <v_f, v_g> + MLP(v)

    So an item has a bias that all lists share, and what a user likes beyond it is a product.

    Masking: padded items are scored like others; the loss leaves them out.

    Args:
        field_dim: int, 2 or more. The length of each vector, bias included.
        hidden_layer_dims: Widths of the network's hidden layers. Defaults to `()`: no network.
        dropout: float in [0, 1): the share of the interacting numbers that training leaves out.
            Defaults to `0.0`.
        kernel_regularizer: Of the network's dense layers. Defaults to `None`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(batch, list, fields * field_dim)` -> `(batch, list)`.

    Raises:
        ValueError: when `field_dim` is below 2, or the inputs are no whole number of fields.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.ranking import FactorizationScorer
    >>> user, film = [0.5, 1.0, 2.0], [0.25, 3.0, -1.0]
    >>> float(FactorizationScorer(3)(np.array([[user + film]]))[0, 0])
    1.75

    ```

    Reference: factorization machines (Rendle 2010); with a network DeepFM (Guo et al. 2017).
    """

    def __init__(
        self,
        field_dim: int,
        hidden_layer_dims: Sequence[int] = (),
        dropout: float = 0.0,
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        if field_dim < 2:
            raise self._bad("`field_dim`", "must be 2 or more", f"field_dim={field_dim}")
        self.field_dim = field_dim
        self.hidden_layer_dims = list(hidden_layer_dims)
        self.dropout_rate = dropout
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        dense = {"kernel_regularizer": self.kernel_regularizer, "dtype": self.dtype_policy}
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.hidden = [keras.layers.Dense(n, "relu", **dense) for n in self.hidden_layer_dims]
        self.last = keras.layers.Dense(1, **dense) if self.hidden else None

    def build(self, input_shape: Any) -> None:
        """Builds the network."""
        width = int(input_shape[-1])
        if width % self.field_dim:
            rule = f"must be vectors of {self.field_dim} numbers side by side"
            raise self._bad("The inputs", rule, f"shape {tuple(input_shape)}")
        shape = (None, None, width // self.field_dim * (self.field_dim - 1))
        for layer in self.hidden:
            layer.build(shape)
            shape = (*shape[:-1], layer.units)
        if self.last is not None:
            self.last.build(shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns scores."""
        batch, size = ops.shape(inputs)[:2]
        fields = inputs.shape[-1] // self.field_dim
        vectors = ops.reshape(inputs, (batch, size, fields, self.field_dim))
        scores = ops.sum(vectors[..., 0], axis=-1)
        interacting = self.dropout(vectors[..., 1:], training=training)
        # The square of a sum has every pair twice, and each square once.
        total = ops.sum(interacting, axis=2)
        pairs = ops.square(total) - ops.sum(ops.square(interacting), axis=2)
        scores = scores + 0.5 * ops.sum(pairs, axis=-1)
        if self.last is None:
            return scores
        hidden = ops.reshape(interacting, (batch, size, fields * (self.field_dim - 1)))
        for layer in self.hidden:
            hidden = layer(hidden)
        return scores + ops.squeeze(self.last(hidden), -1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the scores."""
        return tuple(input_shape[:-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "field_dim": self.field_dim,
            "hidden_layer_dims": self.hidden_layer_dims,
            "dropout": self.dropout_rate,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }

    def _bad(self, what: str, rule: str, received: str) -> ValueError:
        where = f"FactorizationScorer '{self.name}'"
        return ValueError(explain(what, rule=rule, received=received, where=where))
