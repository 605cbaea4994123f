"""Batch normalization with statistics of each domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.layers.checked import checked_names
from recs.layers.multi_domain.routing import as_routing


@keras.saving.register_keras_serializable("recs")
class PartitionedNormalization(keras.layers.Layer):
    """Normalizes each domain's rows by the mean and variance of that domain.

    `y = g g_d (x - m_d) / sqrt(v_d + epsilon) + b + b_d`, with `m_d` and `v_d` those of the
    domain's rows in the batch, as training goes, and their moving means otherwise. Scale `g` and
    offset `b` are shared, `g_d` and `b_d` the domain's own. Batch normalization takes rows for
    alike that are not.

    Rows of no domain are normalized by a group of their own in training, else by the mean of the
    domains' statistics, and have `g_d = 1`, `b_d = 0`.

    Masking: none. State: shared and own scales and offsets; moving means and variances.

    Args:
        domains: Names of the domains.
        momentum: float in [0, 1]. How much of the moving statistics stays at a step; those of a
            domain without rows stay as they are. Defaults to `0.99`.
        epsilon: float. Added to variances. Defaults to `1e-3`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, dim)`.
        domain: `(batch,)` integers, numbers of domains in their order; or one int for all rows.
        training: bool. Whether the batch's statistics count.

    Shapes: -> `(batch, dim)`.

    Raises:
        ValueError: `domains` are no different names.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.layers.multi_domain import PartitionedNormalization
    >>> layer = PartitionedNormalization(["books", "films"], epsilon=0.0)
    >>> x = np.array([[1.0], [3.0], [10.0], [30.0]], "float32")
    >>> layer(x, np.array([0, 0, 1, 1]), training=True).numpy().ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]

    ```

    Reference: Sheng et al., "One Model to Serve All: Star Topology Adaptive Recommender for
    Multi-Domain CTR Prediction", CIKM 2021.
    """

    def __init__(
        self,
        domains: Sequence[str],
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.domains = checked_names(domains, f"PartitionedNormalization '{self.name}'", "domains")
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        """Makes scales, offsets and moving statistics."""
        dim, count = input_shape[-1], len(self.domains)
        self.scale = self.add_weight(shape=(dim,), initializer="ones", name="scale")
        self.offset = self.add_weight(shape=(dim,), initializer="zeros", name="offset")
        own = (count, dim)
        self.own_scale = self.add_weight(shape=own, initializer="ones", name="own_scale")
        self.own_offset = self.add_weight(shape=own, initializer="zeros", name="own_offset")
        self.moving_mean, self.moving_variance = (
            self.add_weight(
                shape=own, initializer=start, trainable=False, autocast=False, name=name
            )
            for name, start in (("moving_mean", "zeros"), ("moving_variance", "ones"))
        )

    def call(self, inputs: Any, domain: Any, training: bool = False) -> Any:
        """Returns the normalized rows."""
        routing = as_routing(domain, len(self.domains))
        x = ops.cast(inputs, "float32")
        if training:
            mean, variance = self._of_batch(x, routing)
        else:
            mean, variance = (
                routing.of_rows(moving, ops.mean(moving, axis=0))
                for moving in map(ops.convert_to_tensor, (self.moving_mean, self.moving_variance))
            )
        x = ops.cast((x - mean) * ops.rsqrt(variance + self.epsilon), self.compute_dtype)
        scale = ops.convert_to_tensor(self.scale)
        own_scale = routing.of_rows(self.own_scale, ops.ones_like(scale))
        own_offset = routing.of_rows(self.own_offset, ops.zeros_like(scale))
        return x * scale * own_scale + self.offset + own_offset

    def _of_batch(self, x: Any, routing: Any) -> tuple[Any, Any]:
        """Returns each row's mean and variance, and moves the moving ones."""
        groups = len(self.domains) + 1  # the last of rows of no domain
        number = routing.domain
        if routing.only is not None:
            number = ops.full((ops.shape(x)[0],), routing.only, dtype="int32")
        member = ops.one_hot(number, groups, dtype="float32")
        counts = ops.expand_dims(ops.sum(member, axis=0), 1)
        weights = ops.transpose(member) / ops.maximum(counts, 1.0)
        mean = ops.matmul(weights, x)
        variance = ops.matmul(weights, ops.square(x - ops.take(mean, number, axis=0)))
        for moving, found in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = ops.convert_to_tensor(moving)
            new = old * self.momentum + found[:-1] * (1.0 - self.momentum)
            moving.assign(ops.where(counts[:-1] > 0, ops.stop_gradient(new), old))
        return ops.take(mean, number, axis=0), ops.take(variance, number, axis=0)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "domains": list(self.domains),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
