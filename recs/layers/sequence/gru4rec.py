"""A recurrent encoder of sequences."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.layers.sequence.sequence_encoder import SequenceEncoder


@keras.saving.register_keras_serializable("recs")
class GRU4Rec(SequenceEncoder):
    """Reads a sequence one step at a time, with gated recurrent units.

    A layer's state after position `t`, from its input `x_t` and the state before it, is

        z = sigmoid(W_z x_t + U_z h + b_z)          r = sigmoid(W_r x_t + U_r h + b_r)
        h_t = z * h + (1 - z) * tanh(W_h x_t + U_h (r * h) + b_h)

    (`z` is what the paper calls `1 - z`.) Positions that do not count leave the state as it is. The
    state of the last layer is the result, through a linear layer if `output_dim` asks for one: to
    score items by a dot product it needs their length. It takes a step a position, one after the
    other; `SASRec` sees all positions at once, which is faster for long sequences.

    The paper trains on parallel sessions and carries states from batch to batch; here every
    sequence begins anew.

    Masking, empty sequences and further arguments as for `SequenceEncoder`.

    Args:
        units: The size of the states. Defaults to `None`: the length of the inputs.
        num_layers: How many layers, each reading the one before. Defaults to `1`.
        dropout: The share of each layer's output that training sets to zero. Defaults to `0.0`.
        output_dim: The length of the result. Defaults to `None`: `units`, without a linear layer.
        reset_after: Whether `r` is applied behind `U_h`, as in `U_h h * r`: GPUs have a fast kernel
            for that. Defaults to `False`, as published.
        max_length: The newest positions to look at. Defaults to `None`: all.
        seed: int. Decides initial values and dropout. Defaults to `None`: drawn anew.
        **kwargs: The arguments of `SequenceEncoder`.

    Shapes: `(batch, n, dim)` or ragged -> `(batch, output_dim)`, or `(batch, n, output_dim)`.

    Raises:
        ValueError: when a size is not positive.

    Example:
    ```python
    >>> from recs.layers.sequence import GRU4Rec
    >>> items = recs.layers.DynamicEmbedding(8, mask_key=0)
    >>> GRU4Rec(units=16, output_dim=8)(items(np.array([[7, 9, 0], [0, 0, 0]]))).shape
    TensorShape([2, 8])

    ```

    Reference: [Hidasi et al., 2016](https://arxiv.org/abs/1511.06939).
    """

    def __init__(
        self,
        units: int | None = None,
        num_layers: int = 1,
        dropout: float = 0.0,
        output_dim: int | None = None,
        reset_after: bool = False,
        max_length: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(max_length=max_length, **kwargs)
        self._check_positive("num_layers", num_layers)
        for name, value in (("units", units), ("output_dim", output_dim)):
            if value is not None:
                self._check_positive(name, value)
        self.units = units
        self.num_layers = num_layers
        self.dropout = dropout
        self.projected_dim = output_dim
        self.reset_after = reset_after
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        """Makes the recurrent layers, whose size may be that of the inputs."""
        dim = int(input_shape[-1])
        units = self.units or dim

        def seed(number: int) -> int | None:
            return None if self.seed is None else self.seed + number

        self.recurrent = [
            keras.layers.GRU(
                units,
                return_sequences=True,
                reset_after=self.reset_after,
                kernel_initializer=keras.initializers.GlorotUniform(seed(4 * layer)),
                recurrent_initializer=keras.initializers.Orthogonal(seed=seed(4 * layer + 1)),
                dtype=self.dtype_policy,
                name=f"gru_{layer}",
            )
            for layer in range(self.num_layers)
        ]
        self.dropouts = [
            keras.layers.Dropout(
                self.dropout,
                seed=seed(4 * layer + 2),
                dtype=self.dtype_policy,
                name=f"dropout_{layer}",
            )
            for layer in range(self.num_layers)
        ]
        for layer, gru in enumerate(self.recurrent):
            gru.build((None, None, units if layer else dim))
        self.projection = None
        if self.projected_dim is not None:
            self.projection = keras.layers.Dense(
                self.projected_dim,
                kernel_initializer=keras.initializers.GlorotUniform(seed(3)),
                dtype=self.dtype_policy,
                name="projection",
            )
            self.projection.build((None, None, units))
        super().build(input_shape)

    def output_dim(self, input_dim: int) -> int:
        """Returns the length of the vectors."""
        return self.projected_dim or self.units or input_dim

    def encode(self, inputs: Any, mask: Any, training: bool | None) -> Any:
        """Returns the state after each position."""
        # Keras's loop needs a step to begin with: one that does not count, where there may be none.
        extra = 0 if inputs.shape[1] else 1
        states = ops.pad(inputs, ((0, 0), (extra, 0), (0, 0)))
        mask = ops.pad(mask, ((0, 0), (extra, 0)), constant_values=False)
        for gru, dropout in zip(self.recurrent, self.dropouts, strict=True):
            states = dropout(gru(states, mask=mask, training=training), training=training)
        states = states[:, extra:]
        return states if self.projection is None else self.projection(states)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "num_layers": self.num_layers,
            "dropout": self.dropout,
            "output_dim": self.projected_dim,
            "reset_after": self.reset_after,
            "seed": self.seed,
        }
