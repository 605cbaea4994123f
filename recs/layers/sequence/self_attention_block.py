"""A block of self-attention and a point-wise network."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from recs.errors import explain
from recs.layers.found_parts import FoundParts
from recs.layers.sequence.masked import masked_softmax


@keras.saving.register_keras_serializable("recs")
class SelfAttentionBlock(FoundParts, keras.layers.Layer):
    """Each position looks at those before it, then goes through a small network.

    With `Attention(Q, K, V) = softmax(Q K^T / sqrt(d)) V`, in each of the heads on its own part of
    `d = dim / num_heads` numbers,

        SA(x) = Attention(x W_Q, x W_K, x W_V)      F(x) = relu(x W_1 + b_1) W_2 + b_2

    and the block is, for `g` one after the other `SA` and `F`, `x + dropout(g(layer_norm(x)))`, as
    published (`norm="pre"`), or `layer_norm(x + dropout(g(x)))` (`norm="post"`, as in the original
    transformer). As published there are no biases in `SA`, and no matrix behind its heads.

    Masking: positions that do not count are looked at by none, and give zeros. The mask is passed
    on. Where there is nothing to look at, attention is zero. The softmax is float32.

    Args:
        num_heads: How many heads; it divides the length of the vectors. Defaults to `1`.
        ffn_dim: The size of the hidden layer. Defaults to `None`: the length of the vectors.
        dropout: The share of numbers that training sets to zero. Defaults to `0.0`.
        norm: `"pre"` or `"post"`. Defaults to `"pre"`.
        causal: Whether a position sees itself and earlier ones only. Defaults to `True`.
        epsilon: Of the normalization. Defaults to `1e-6`.
        seed: int. Decides initial values and dropout. Defaults to `None`: drawn anew.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The vectors, oldest first.
        mask: Bools `(batch, n)`.
        training: Whether the layer trains.
        return_attention: Whether to return the attention beside. Defaults to `False`.

    Shapes: `(batch, n, dim)` -> `(batch, n, dim)`; attention is `(batch, num_heads, n, n)`, by the
        position that looks and the one that is looked at, float32.

    Raises:
        ValueError: when a size is not positive, `norm` is neither of the two, or the heads do not
            divide the vectors.

    Example:
    ```python
    >>> from recs.layers.sequence import SelfAttentionBlock
    >>> x = np.random.default_rng(1).normal(size=(1, 3, 4))
    >>> y, attention = SelfAttentionBlock(num_heads=2)(x, return_attention=True)
    >>> y.shape, (attention[0, 0].numpy() > 0).astype(int).tolist()
    (TensorShape([1, 3, 4]), [[1, 0, 0], [1, 1, 0], [1, 1, 1]])

    ```

    Reference: [Kang & McAuley, 2018](https://arxiv.org/abs/1808.09781), section III.
    """

    def __init__(
        self,
        num_heads: int = 1,
        ffn_dim: int | None = None,
        dropout: float = 0.0,
        norm: Literal["pre", "post"] = "pre",
        causal: bool = True,
        epsilon: float = 1e-6,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        for name, value in (("num_heads", num_heads), ("ffn_dim", ffn_dim)):
            wrong = isinstance(value, bool) or not isinstance(value, int) or value < 1
            if wrong and not (name == "ffn_dim" and value is None):
                raise self._bad(f"`{name}`", "must be a positive integer", f"{name}={value!r}")
        if norm not in ("pre", "post"):
            raise self._bad("`norm`", "must be 'pre' or 'post'", f"norm={norm!r}")
        self.num_heads = num_heads
        self.ffn_dim = ffn_dim
        self.dropout = dropout
        self.norm = norm
        self.causal = causal
        self.epsilon = epsilon
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        """Makes the weights, for vectors of `input_shape[-1]` numbers."""
        dim = int(input_shape[-1])
        if dim % self.num_heads:
            raise self._bad(
                "`num_heads`",
                "must divide the length of the vectors",
                f"num_heads={self.num_heads} for vectors of {dim}",
            )

        def glorot(number: int) -> Any:
            seed = None if self.seed is None else self.seed + number
            return keras.initializers.GlorotUniform(seed)

        self.query, self.key, self.value = (
            self.add_weight(name=name, shape=(dim, dim), initializer=glorot(number))
            for number, name in enumerate(("query", "key", "value"))
        )
        policy = self.dtype_policy
        self.hidden = keras.layers.Dense(
            self.ffn_dim or dim, "relu", kernel_initializer=glorot(3), dtype=policy, name="hidden"
        )
        self.out = keras.layers.Dense(dim, kernel_initializer=glorot(4), dtype=policy, name="out")
        self.norms = [
            keras.layers.LayerNormalization(epsilon=self.epsilon, dtype=policy, name=f"norm_{n}")
            for n in range(2)
        ]
        self.drop = keras.layers.Dropout(self.dropout, seed=self.seed, dtype=policy, name="drop")
        self.hidden.build((None, None, dim))
        self.out.build((None, None, self.ffn_dim or dim))
        for layer in self.norms:
            layer.build((None, None, dim))
        self.built = True

    def call(
        self,
        inputs: Any,
        mask: Any | None = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        """Returns the vectors after the block, and attention if asked for."""
        attention: list[Any] = []

        def attend(x: Any) -> Any:
            looked, weights = self._attend(x, mask)
            attention.append(weights)
            return looked

        x = inputs
        for step, norm in zip(
            (attend, lambda x: self.out(self.hidden(x))), self.norms, strict=True
        ):
            before = norm(x) if self.norm == "pre" else x
            x = x + self.drop(step(before), training=training)
            x = x if self.norm == "pre" else norm(x)
        if mask is not None:
            x = ops.where(ops.expand_dims(ops.cast(mask, "bool"), -1), x, ops.zeros_like(x))
        return (x, attention[0]) if return_attention else x

    def _attend(self, x: Any, mask: Any | None) -> tuple[Any, Any]:
        """Returns what each position takes from the others, and how much from which."""
        shape = ops.shape(x)
        heads = (*shape[:2], self.num_heads, shape[-1] // self.num_heads)
        query, key, value = (
            ops.reshape(ops.matmul(x, kernel), heads)
            for kernel in (self.query, self.key, self.value)
        )
        scores = ops.einsum("bqhd,bkhd->bhqk", query, key)
        scores = ops.cast(scores, "float32") / heads[-1] ** 0.5
        places = ops.arange(shape[1])
        allowed = ops.expand_dims(places, 1) >= places if self.causal else places >= 0
        if mask is not None:
            allowed = ops.logical_and(ops.cast(mask, "bool")[:, None, None, :], allowed)
        weights = masked_softmax(scores, allowed)
        taken = ops.einsum("bhqk,bkhd->bqhd", ops.cast(weights, value.dtype), value)
        return ops.reshape(taken, shape), weights

    def compute_output_spec(
        self,
        inputs: Any,
        mask: Any | None = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        """Returns shapes and dtypes of what a call returns."""
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        batch, n = inputs.shape[:2]
        attention = keras.KerasTensor((batch, self.num_heads, n, n), dtype="float32")
        return (output, attention) if return_attention else output

    def compute_mask(self, inputs: Any, mask: Any | None = None) -> Any | None:
        """Returns the mask of the inputs."""
        return mask

    def _bad(self, what: str, rule: str, received: str) -> ValueError:
        where = f"SelfAttentionBlock '{self.name}'"
        return ValueError(explain(what, rule=rule, received=received, where=where))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "ffn_dim": self.ffn_dim,
            "dropout": self.dropout,
            "norm": self.norm,
            "causal": self.causal,
            "epsilon": self.epsilon,
            "seed": self.seed,
        }
