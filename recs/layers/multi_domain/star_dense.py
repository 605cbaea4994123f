"""A dense layer whose weights are a domain's own times those of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.layers.checked import checked_names
from recs.layers.multi_domain.routing import as_routing


@keras.saving.register_keras_serializable("recs")
class StarDense(keras.layers.Layer):
    """A dense layer with weights shared by domains, times weights of each domain.

    `y = a(x (W * W_d) + b + b_d)`, `*` element by element. What `W` learns, it learns from all
    rows; `W_d`, which begins at ones, and `b_d`, at zeros, from the domain's own. So at the start
    every domain has the same layer, and a domain with few rows stays near what is common.

    Masking: none. An empty batch gives an empty result. Rows of no domain have `W` and `b` alone.

    Args:
        domains: Names of the domains.
        units: int. Length of the results.
        activation: What Keras takes for an activation. Defaults to `None`, which is linear.
        kernel_initializer: Of `W`. Defaults to `"glorot_uniform"`.
        kernel_regularizer: Of `W`. Defaults to `None`.
        own_regularizer: Of `W_d - 1` and `b_d`, all domains' together: the larger, the less
            domains differ. Defaults to `None`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, dim)`.
        domain: `(batch,)` integers, numbers of domains in their order; or one int for all rows.

    Shapes: -> `(batch, units)`.

    Raises:
        ValueError: `domains` are no different names.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.layers.multi_domain import StarDense
    >>> layer = StarDense(["books", "films"], 3)
    >>> layer(keras.ops.ones((2, 5)), np.array([1, 0])).shape
    TensorShape([2, 3])

    ```

    Reference: Sheng et al., "One Model to Serve All: Star Topology Adaptive Recommender for
    Multi-Domain CTR Prediction", CIKM 2021.
    """

    def __init__(
        self,
        domains: Sequence[str],
        units: int,
        activation: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        own_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.domains = checked_names(domains, f"StarDense '{self.name}'", "domains")
        self.units = units
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.own_regularizer = keras.regularizers.get(own_regularizer)

    def build(self, input_shape: Any) -> None:
        """Makes shared and own weights."""
        dim, count = input_shape[-1], len(self.domains)
        self.kernel = self.add_weight(
            shape=(dim, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        # Kept as the difference from one, which is what a regularizer is to make small.
        self.own_kernel, self.own_bias = (
            self.add_weight(
                shape=shape, initializer="zeros", regularizer=self.own_regularizer, name=name
            )
            for name, shape in (
                ("own_kernel", (count, dim, self.units)),
                ("own_bias", (count, self.units)),
            )
        )

    def call(self, inputs: Any, domain: Any) -> Any:
        """Returns what each row's domain makes of it."""
        routing = as_routing(domain, len(self.domains))
        x = ops.cast(inputs, self.compute_dtype)
        kernel, bias = ops.convert_to_tensor(self.kernel), ops.convert_to_tensor(self.bias)

        # The last, of no domain, has what is shared; the gradient of `unstack` is one op.
        kernels = [*ops.unstack(kernel * (1.0 + self.own_kernel), len(self.domains)), kernel]
        made = {d: ops.matmul(rows, kernels[d]) for d, rows in routing.split(x).items()}
        shift = routing.of_rows(self.own_bias, ops.zeros_like(bias))
        return self.activation(routing.join(made) + bias + shift)

    def silence(self, domain: int) -> None:
        """Makes the layer give zeros for a domain, until it is trained further.

        Args:
            domain: The domain's number.
        """
        kernel, bias = self.own_kernel.numpy(), self.own_bias.numpy()
        kernel[domain], bias[domain] = -1.0, -self.bias.numpy()
        self.own_kernel.assign(kernel)
        self.own_bias.assign(bias)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "domains": list(self.domains),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "own_regularizer": keras.regularizers.serialize(self.own_regularizer),
        }
