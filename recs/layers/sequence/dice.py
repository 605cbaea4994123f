"""An activation that adapts to the data."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("recs")
class Dice(keras.layers.Layer):
    """A smooth PReLU whose turning point is where the data is.

    `y = p * x + (1 - p) * alpha * x` with `p = sigmoid((x - E[x]) / sqrt(Var[x] + epsilon))`, for
    each channel, the last axis. `alpha` is trained. In training mean and variance are the batch's,
    and moving averages of them are kept, which inference uses.

    Masking: positions that do not count are left out of mean and variance and give zeros; a batch
    in which none counts leaves the averages as they are. Arithmetic is float32.

    Args:
        epsilon: Keeps the quotient finite. Defaults to `1e-8`, as published.
        momentum: How much of a moving average a step keeps. Defaults to `0.99`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: Floats of any rank.
        mask: Bools that broadcast to the shape of the inputs without its last axis.
        training: Whether mean and variance are the batch's.

    Shapes: `(..., channels)` -> the same, in the compute dtype.

    Example:
    ```python
    >>> from recs.layers.sequence import Dice
    >>> layer = Dice()
    >>> y = layer(np.array([[4.0], [0.0], [-4.0]]))  # mean 0 and variance 1 to begin with
    >>> [round(float(one), 2) for one in y[:, 0]]
    [3.93, 0.0, -0.07]

    ```

    Reference: [Zhou et al., 2018](https://arxiv.org/abs/1706.06978), section 5.3; `alpha` starts at
    0 there.
    """

    def __init__(self, epsilon: float = 1e-8, momentum: float = 0.99, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.epsilon = epsilon
        self.momentum = momentum

    def build(self, input_shape: Any) -> None:
        """Makes `alpha` and the averages, one number a channel each."""
        shape = (int(input_shape[-1]),)
        self.alpha = self.add_weight(
            name="alpha", shape=shape, initializer="zeros", dtype="float32", autocast=False
        )
        self.moving_mean, self.moving_variance = (
            self.add_weight(
                name=name,
                shape=shape,
                initializer=initializer,
                dtype="float32",
                autocast=False,
                trainable=False,
            )
            for name, initializer in (("moving_mean", "zeros"), ("moving_variance", "ones"))
        )
        self.built = True

    def call(self, inputs: Any, mask: Any | None = None, training: bool | None = None) -> Any:
        """Returns the activations."""
        x = ops.cast(inputs, "float32")
        mean, variance = self.moving_mean, self.moving_variance
        if training and self.trainable:
            mean, variance = self._of_batch(x, mask)
        p = ops.sigmoid((x - mean) / ops.sqrt(variance + self.epsilon))
        y = p * x + (1.0 - p) * self.alpha * x
        if mask is not None:
            y = ops.where(ops.expand_dims(ops.cast(mask, "bool"), -1), y, ops.zeros_like(y))
        return ops.cast(y, self.compute_dtype)

    def _of_batch(self, x: Any, mask: Any | None) -> tuple[Any, Any]:
        """Returns mean and variance of what counts, and moves the averages."""
        weight = ops.ones_like(x[..., :1])
        if mask is not None:
            counts = ops.expand_dims(ops.cast(mask, "bool"), -1)
            weight = weight * ops.cast(counts, "float32")
            x = ops.where(counts, x, ops.zeros_like(x))
        axes = list(range(len(x.shape) - 1))
        count = ops.sum(weight)
        share = weight / ops.maximum(count, 1.0)
        mean = ops.sum(x * share, axis=axes)
        variance = ops.sum((x - mean) ** 2 * share, axis=axes)
        moved = ops.where(count > 0, 1.0 - self.momentum, 0.0)
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving + moved * (ops.stop_gradient(now) - moving))
        return mean, variance

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the inputs."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "epsilon": self.epsilon, "momentum": self.momentum}
