"""A scorer with attention over the list, for numbers of any scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.layers.found_parts import FoundParts
from recs.layers.ranking.document_interaction_attention import DocumentInteractionAttention


@keras.saving.register_keras_serializable("recs")
class DASALCScorer(FoundParts, keras.layers.Layer):
    """Scores items by their own features and by what else is in their list.

    Features are tamed, `z = sign(x) log(1 + |x|)`; `h = MLP(z)` is of the item, `a = Attention(z)`
    of the item among the others; a latent cross joins them, and a dense layer scores:
    `s = v'((1 + W a) * h) + b`.

    Masking: as `DocumentInteractionAttention`; the order of items and padding change nothing.

    Args:
        hidden_layer_dims: Widths of the network `h`. Defaults to `(64, 32)`.
        num_heads: int. Heads of the attention. Defaults to `2`.
        head_size: int. Length of their vectors. Defaults to `32`.
        num_layers: int. How many attentions there are. Defaults to `1`.
        dropout: float. The rate, in network and attention. Defaults to `0.1`.
        input_noise_stddev: float. Of normal noise on `z` in training, which augments data.
            Defaults to `None`, for none.
        kernel_regularizer: Of the dense layers of network, cross and score. Defaults to `None`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, list, dim)`.
        mask: bool `(batch, list)`, False where there is no item. Defaults to `None`: all are items.
        training: bool. Whether there are dropout and noise.

    Shapes: -> `(batch, list)`.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.ranking import DASALCScorer
    >>> DASALCScorer()(keras.ops.ones((2, 3, 4)) * 1e6).shape
    TensorShape([2, 3])

    ```

    Reference: Qin et al., "Are Neural Rankers still Outperformed by Gradient Boosted Decision
    Trees?", 2021.
    """

    def __init__(
        self,
        hidden_layer_dims: Sequence[int] = (64, 32),
        num_heads: int = 2,
        head_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.1,
        input_noise_stddev: float | None = None,
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.hidden_layer_dims = list(hidden_layer_dims)
        self.num_heads, self.head_size, self.num_layers = num_heads, head_size, num_layers
        self.dropout = dropout
        self.input_noise_stddev = input_noise_stddev
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        policy = self.dtype_policy
        dense = {"kernel_regularizer": self.kernel_regularizer, "dtype": policy}
        self.noise = keras.layers.GaussianNoise(input_noise_stddev or 0.0, dtype=policy)
        self.hidden = [keras.layers.Dense(n, "relu", **dense) for n in self.hidden_layer_dims]
        self.dropouts = [keras.layers.Dropout(dropout, dtype=policy) for _ in self.hidden]
        self.attention = DocumentInteractionAttention(
            num_heads, head_size, num_layers, dropout, dtype=policy
        )
        self.cross = keras.layers.Dense(self.hidden_layer_dims[-1], **dense)
        self.score = keras.layers.Dense(1, **dense)

    def build(self, input_shape: Any) -> None:
        """Builds the layers inside."""
        shape = tuple(input_shape)
        self.attention.build(shape)
        self.cross.build((*shape[:-1], self.head_size))
        for layer in self.hidden:
            layer.build(shape)
            shape = (*shape[:-1], layer.units)
        self.score.build(shape)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Returns scores."""
        z = self.noise(ops.sign(inputs) * ops.log1p(ops.abs(inputs)), training=training)
        hidden = z
        for layer, dropout in zip(self.hidden, self.dropouts, strict=True):
            hidden = dropout(layer(hidden), training=training)
        seen = self.attention(z, mask=mask, training=training)
        crossed = (1.0 + self.cross(seen)) * hidden
        return ops.squeeze(self.score(crossed), -1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the scores."""
        return tuple(input_shape[:-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        names = ("hidden_layer_dims", "num_heads", "head_size", "num_layers", "dropout")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in (*names, "input_noise_stddev")},
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
