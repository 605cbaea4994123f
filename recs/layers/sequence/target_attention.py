"""Attention of an item to a history: the activation unit of deep interest networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.found_parts import FoundParts
from recs.layers.sequence.dice import Dice
from recs.layers.sequence.masked import dense_with_mask, is_ragged, masked_softmax


@keras.saving.register_keras_serializable("recs")
class TargetAttention(FoundParts, keras.layers.Layer):
    """A user as seen by one item: their history, weighted by what it has to do with the item.

    For the vector `q` of an item and the vectors `k_1 ... k_n` of a history (DIN),

        y = sum_t a_t k_t       a_t = MLP([q, k_t, q - k_t, q * k_t])

    where the network ends in one number. As published `a` is not normalized: a user who did much of
    what the item is like gets a longer vector. `normalize=True` makes it a softmax over the
    history.

    A user has another vector for each item, so this ranks a list; it cannot retrieve from a
    catalogue by a dot product.

    Masking: positions that do not count have weight 0, and are no part of the statistics of `Dice`;
    a history in which none does gives zeros.

    Args:
        units: Sizes of the hidden layers. Defaults to `(36,)`.
        activation: Of the hidden layers: `"dice"`, `"prelu"`, or any of Keras's, such as
            `"sigmoid"`. Defaults to `"dice"`.
        normalize: Whether `a` goes through a softmax. Defaults to `False`.
        seed: int. Decides initial values. Defaults to `None`: drawn anew.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        target: Vectors of items, one an example or several.
        history: Vectors of the history, dense or ragged.
        history_mask: Bools `(batch, n)`; Keras passes on that of the history.
        training: Whether the layer trains.
        return_attention: Whether to return `a` beside. Defaults to `False`.

    Shapes: `target (batch, dim)` and `history (batch, n, dim)` -> `(batch, dim)`, with attention
        `(batch, n)`; `target (batch, items, dim)` -> `(batch, items, dim)` and
        `(batch, items, n)`. Attention is float32.

    Raises:
        ValueError: when the vectors of items and history differ in length, or `target` has not two
            or three axes.

    Example:
    ```python
    >>> from recs.layers.sequence import TargetAttention
    >>> items = recs.layers.DynamicEmbedding(8, mask_key=0)
    >>> layer = TargetAttention(activation="sigmoid", normalize=True)
    >>> layer(items(np.array([5, 6])), items(np.array([[7, 9, 0], [0, 0, 0]]))).shape
    TensorShape([2, 8])

    ```

    Reference: [Zhou et al., 2018](https://arxiv.org/abs/1706.06978); the inputs of the network are
    those of the authors' code.
    """

    def __init__(
        self,
        units: Sequence[int] = (36,),
        activation: str = "dice",
        normalize: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = list(units)
        self.activation = activation
        self.normalize = normalize
        self.seed = seed

    def build(self, target_shape: Any, history_shape: Any) -> None:
        """Makes the network, for vectors of `target_shape[-1]` numbers."""
        if target_shape[-1] != history_shape[-1] or len(target_shape) not in (2, 3):
            raise ValueError(
                explain(
                    "`target`",
                    rule="must be (batch, dim) or (batch, items, dim), `dim` that of the history",
                    received=f"{tuple(target_shape)} and a history of {tuple(history_shape)}",
                    where=f"TargetAttention '{self.name}'",
                )
            )
        width, policy = 4 * int(target_shape[-1]), self.dtype_policy
        kernels, biases, activations = [], [], []
        for number, size in enumerate((*self.units, 1)):
            seed = None if self.seed is None else self.seed + number
            kernels.append(
                self.add_weight(
                    name=f"kernel_{number}",
                    shape=(width, size),
                    initializer=keras.initializers.GlorotUniform(seed),
                )
            )
            biases.append(
                self.add_weight(name=f"bias_{number}", shape=(size,), initializer="zeros")
            )
            width = size
        for number, size in enumerate(self.units):
            made: Any
            if self.activation == "dice":
                made = Dice(dtype=policy, name=f"dice_{number}")
            elif self.activation == "prelu":
                made = keras.layers.PReLU(shared_axes=[1, 2], dtype=policy, name=f"prelu_{number}")
            else:
                made = keras.layers.Activation(self.activation, dtype=policy, name=f"act_{number}")
            made.build((None, None, None, size))
            activations.append(made)
        self.kernels, self.biases, self.activations = kernels, biases, activations
        self.built = True

    def call(
        self,
        target: Any,
        history: Any,
        history_mask: Any | None = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        """Returns the vectors of the users, as the items see them."""
        history, mask = dense_with_mask(history, history_mask)
        several = len(target.shape) == 3
        items = target if several else ops.expand_dims(target, 1)
        counts = ops.expand_dims(mask, 1)
        scores = self._scores(items, history, counts, training)
        if self.normalize:
            attention = masked_softmax(scores, counts)
        else:
            scores = ops.cast(scores, "float32")
            attention = ops.where(counts, scores, ops.zeros_like(scores))
        vectors = ops.matmul(ops.cast(attention, history.dtype), history)
        if not several:
            vectors, attention = vectors[:, 0], attention[:, 0]
        return (vectors, attention) if return_attention else vectors

    def _scores(self, items: Any, history: Any, counts: Any, training: bool | None) -> Any:
        """Returns what the network gives each pair of item and position, `(batch, items, n)`."""
        # The first layer is linear, so that [q, k, q - k, q * k] need not be put together for every
        # pair: what it makes of `q` and `k` alone is made once for each of them.
        of_q, of_k, of_difference, of_product = ops.split(self.kernels[0], 4, axis=0)
        x = ops.expand_dims(ops.matmul(items, of_q + of_difference), 2)
        x = x + ops.expand_dims(ops.matmul(history, of_k - of_difference), 1)
        product = ops.expand_dims(items, 2) * ops.expand_dims(history, 1)
        x = x + ops.matmul(product, of_product) + self.biases[0]
        layers = zip(self.activations, self.kernels[1:], self.biases[1:], strict=True)
        for activation, kernel, bias in layers:
            if isinstance(activation, Dice):
                x = activation(x, mask=counts, training=training)
            else:
                x = activation(x)
            x = ops.matmul(x, kernel) + bias
        return x[..., 0]

    def compute_mask(self, *args: Any, **kwargs: Any) -> None:
        """Returns nothing: the history is summed up."""
        return

    def compute_output_spec(
        self,
        target: Any,
        history: Any,
        history_mask: Any | None = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        """Returns shapes and dtypes of what a call returns."""
        vectors = keras.KerasTensor(target.shape, dtype=self.compute_dtype)
        n = None if is_ragged(history) else history.shape[1]
        attention = keras.KerasTensor((*target.shape[:-1], n), dtype="float32")
        return (vectors, attention) if return_attention else vectors

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": self.activation,
            "normalize": self.normalize,
            "seed": self.seed,
        }
