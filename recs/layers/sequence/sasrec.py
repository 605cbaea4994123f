"""A self-attentive encoder of sequences."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from recs.layers.sequence.position_embedding import PositionEmbedding
from recs.layers.sequence.self_attention_block import SelfAttentionBlock
from recs.layers.sequence.sequence_encoder import SequenceEncoder


@keras.saving.register_keras_serializable("recs")
class SASRec(SequenceEncoder):
    """Blocks of causal self-attention over a sequence: each step weighs all that came before.

    With vectors `x` of what a user did, and learned `P` for positions counted from the end,

        s = dropout(sqrt(dim) * x + P)      h = layer_norm(block_b(... block_1(s)))

    where the blocks are `SelfAttentionBlock`, and the last normalization is that of blocks with
    `norm="pre"` only. The factor of `x` is that of the authors' code; the paper leaves it out.
    Score items with `h . x_item`, of the same table: the paper found one table for both better.

    Masking, empty sequences and further arguments as for `SequenceEncoder`.

    Args:
        num_blocks: How many blocks. Defaults to `2`.
        num_heads: Heads of each. Defaults to `1`.
        max_length: The newest positions to look at; time and memory of a batch grow with the square
            of its longest sequence. Defaults to `50`.
        ffn_dim: The hidden size of the blocks' networks. Defaults to `None`: the length of the
            vectors.
        dropout: The share of numbers that training sets to zero; the paper has 0.2 for dense and
            0.5 for sparse data. Defaults to `0.2`.
        norm: `"pre"`, as published, or `"post"`. Defaults to `"pre"`.
        scale_inputs: Whether `x` is multiplied by `sqrt(dim)`. Defaults to `True`.
        seed: int. Decides initial values and dropout. Defaults to `None`: drawn anew.
        **kwargs: The arguments of `SequenceEncoder`.

    Shapes: `(batch, n, dim)` or ragged -> `(batch, dim)`, or `(batch, n, dim)`.

    Raises:
        ValueError: when a size is not positive, or the heads do not divide the vectors.

    Example:
    ```python
    >>> from recs.layers.sequence import SASRec
    >>> items = recs.layers.DynamicEmbedding(8, key_dtype="string")
    >>> histories = tf.ragged.constant([["Heat", "Ran"], ["Up"], []])
    >>> SASRec(num_heads=2)(items(histories, training=True)).shape
    TensorShape([3, 8])

    ```

    Reference: [Kang & McAuley, 2018](https://arxiv.org/abs/1808.09781).
    """

    def __init__(
        self,
        num_blocks: int = 2,
        num_heads: int = 1,
        max_length: int = 50,
        ffn_dim: int | None = None,
        dropout: float = 0.2,
        norm: Literal["pre", "post"] = "pre",
        scale_inputs: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(max_length=max_length, **kwargs)
        self._check_positive("num_blocks", num_blocks)
        self._check_positive("max_length", max_length)
        self.num_blocks = num_blocks
        self.num_heads = num_heads
        self.ffn_dim = ffn_dim
        self.dropout = dropout
        self.norm = norm
        self.scale_inputs = scale_inputs
        self.seed = seed
        policy = self.dtype_policy
        uniform = keras.initializers.RandomUniform(seed=seed)
        self.positions = PositionEmbedding(max_length, uniform, dtype=policy, name="positions")
        self.drop = keras.layers.Dropout(dropout, seed=seed, dtype=policy, name="drop")
        self.blocks = [
            SelfAttentionBlock(
                num_heads,
                ffn_dim,
                dropout,
                norm,
                # Twenty apart: a block draws several initial values.
                seed=None if seed is None else seed + 20 * (block + 1),
                dtype=policy,
                name=f"block_{block}",
            )
            for block in range(num_blocks)
        ]
        self.last_norm = (
            keras.layers.LayerNormalization(epsilon=1e-6, dtype=policy, name="last_norm")
            if norm == "pre"
            else None
        )

    def build(self, input_shape: Any) -> None:
        """Builds the blocks."""
        shape = (None, None, int(input_shape[-1]))
        for layer in (self.positions, *self.blocks, self.last_norm):
            if layer is not None:
                layer.build(shape)
        super().build(input_shape)

    def encode(self, inputs: Any, mask: Any, training: bool | None) -> Any:
        """Returns what the last block makes of each position."""
        x = self._placed(inputs, mask, training)
        for block in self.blocks:
            x = block(x, mask=mask, training=training)
        return x if self.last_norm is None else self.last_norm(x)

    def attention(self, inputs: Any, mask: Any | None = None) -> Any:
        """Returns which positions look at which, to be shown.

        Args:
            inputs: The vectors, as for a call.
            mask: Bools `(batch, n)`. Defaults to `None`.

        Shapes: -> `(batch, num_blocks, num_heads, n, n)` float32, rows of each matrix sum to 1.
        """
        if not self.built:
            self.build(inputs.shape)
        inputs, mask = self._prepared(inputs, mask)
        x, found = self._placed(inputs, mask, False), []
        for block in self.blocks:
            x, weights = block(x, mask=mask, training=False, return_attention=True)
            found.append(weights)
        return ops.stack(found, axis=1)

    def _placed(self, inputs: Any, mask: Any, training: bool | None) -> Any:
        """Returns the inputs of the first block."""
        scaled = inputs * int(inputs.shape[-1]) ** 0.5 if self.scale_inputs else inputs
        return self.drop(self.positions(scaled, mask=mask), training=training)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_blocks": self.num_blocks,
            "num_heads": self.num_heads,
            "ffn_dim": self.ffn_dim,
            "dropout": self.dropout,
            "norm": self.norm,
            "scale_inputs": self.scale_inputs,
            "seed": self.seed,
        }
