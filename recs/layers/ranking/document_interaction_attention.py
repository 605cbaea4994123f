"""Attention of a list's items over each other."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.layers.found_parts import FoundParts


@keras.saving.register_keras_serializable("recs")
class DocumentInteractionAttention(FoundParts, keras.layers.Layer):
    """Tells every item of a list what else is in it, whatever their order.

    `h_0 = relu(W x + b)`, then `h_i = LayerNorm(h_{i-1} + Dropout(Attention_i(h_{i-1})))`.

    Masking: nothing attends to what the mask takes out; what comes out there has no meaning. A
    list without items gives finite vectors.

    Args:
        num_heads: int. Heads of each attention.
        head_size: int. Length of the heads' vectors, and of those that come out.
        num_layers: int. How many attentions there are. Defaults to `1`.
        dropout: float. The rate, on attention weights and on what attention gives. Defaults to
            `0.5`.
        input_noise_stddev: float. Of normal noise on `h_0` in training. Defaults to `None`, none.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, list, dim)`; or a pair of that and the mask.
        mask: bool `(batch, list)`, False where there is no item. Defaults to `None`: all are items.
        training: bool. Whether there are dropout and noise.

    Shapes: -> `(batch, list, head_size)`, float32.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.ranking import DocumentInteractionAttention
    >>> layer = DocumentInteractionAttention(num_heads=2, head_size=8)
    >>> layer(keras.ops.ones((2, 3, 4))).shape
    TensorShape([2, 3, 8])

    ```

    Reference: Pasumarthi et al., "Permutation Equivariant Document Interaction Network for Neural
    Learning to Rank", 2020; `tfr.keras.layers.DocumentInteractionAttention`.
    """

    def __init__(
        self,
        num_heads: int,
        head_size: int,
        num_layers: int = 1,
        dropout: float = 0.5,
        input_noise_stddev: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_heads = num_heads
        self.head_size = head_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.input_noise_stddev = input_noise_stddev
        policy = self.dtype_policy
        self.projection = keras.layers.Dense(head_size, "relu", dtype=policy)
        self.noise = keras.layers.GaussianNoise(input_noise_stddev or 0.0, dtype=policy)
        self.attentions = [
            keras.layers.MultiHeadAttention(
                num_heads, head_size, dropout=dropout, output_shape=head_size, dtype=policy
            )
            for _ in range(num_layers)
        ]
        self.dropouts = [keras.layers.Dropout(dropout, dtype=policy) for _ in range(num_layers)]
        self.norms = [
            keras.layers.LayerNormalization(epsilon=1e-12, dtype="float32")
            for _ in range(num_layers)
        ]

    def build(self, input_shape: Any) -> None:
        """Builds the layers inside."""
        shape = input_shape[0] if isinstance(input_shape[0], list | tuple) else input_shape
        self.projection.build(shape)
        inner = (*shape[:-1], self.head_size)
        for attention, norm in zip(self.attentions, self.norms, strict=True):
            attention.build(inner, inner)
            norm.build(inner)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Returns vectors of the items that know of the others."""
        x = inputs
        if isinstance(inputs, list | tuple):
            x, mask = inputs
        x = self.noise(self.projection(x), training=training)
        sees = None
        if mask is not None:
            sees = ops.cast(mask, "bool")[:, None, :]
            sees = ops.repeat(sees, ops.shape(x)[1], axis=1)
        for attention, dropout, norm in zip(
            self.attentions, self.dropouts, self.norms, strict=True
        ):
            seen = attention(x, x, attention_mask=sees, training=training)
            x = norm(dropout(seen, training=training) + x)
        return x

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns the mask of the inputs."""
        return inputs[1] if isinstance(inputs, list | tuple) else previous_mask

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the vectors."""
        shape = input_shape[0] if isinstance(input_shape[0], list | tuple) else input_shape
        return (*shape[:-1], self.head_size)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        names = ("num_heads", "head_size", "num_layers", "dropout", "input_noise_stddev")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
