"""A network of a star: its middle shared, its points the domains'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.blocks import MLP
from recs.layers.checked import checked_names, checked_units
from recs.layers.found_parts import FoundParts
from recs.layers.multi_domain.partitioned_normalization import PartitionedNormalization
from recs.layers.multi_domain.routing import as_routing
from recs.layers.multi_domain.star_dense import StarDense


@keras.saving.register_keras_serializable("recs")
class Star(FoundParts, keras.layers.Layer):
    """Predicts with layers that are shared times a domain's own, and a small network beside.

    `y = star(norm(x)) + aux([x, e_d])`: `norm` is `PartitionedNormalization`, `star` a stack of
    `StarDense`, and `aux` a small network, common to all, that sees an embedding `e_d` of the
    domain itself, so that the domain is not lost among the features.

    Masking: none. An empty batch gives an empty result. Rows of no domain have what is shared.

    Args:
        domains: Names of the domains.
        units: Sizes of the `StarDense` layers. Defaults to `(64, 32, 1)`.
        auxiliary_units: Sizes of the hidden layers of `aux`; `None` leaves it out. Defaults to
            `(16,)`.
        normalize: bool. Whether there is `norm`. Defaults to `True`.
        activation: Of all layers but the last. Defaults to `"relu"`.
        domain_dim: int. Length of `e_d`. Defaults to `4`.
        momentum: Of `norm`. Defaults to `0.99`.
        own_regularizer: As in `StarDense`. Defaults to `None`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, dim)`.
        domain: `(batch,)` integers, numbers of domains in their order; or one int for all rows.
        training: bool. Whether the batch's statistics count.

    Shapes: -> `(batch, units[-1])`.

    Raises:
        ValueError: `domains` are no different names.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.layers.multi_domain import Star
    >>> star = Star(["books", "films"], units=(8, 1))
    >>> star(keras.ops.ones((2, 5)), np.array([1, 0])).shape
    TensorShape([2, 1])

    ```

    Reference: Sheng et al., "One Model to Serve All: Star Topology Adaptive Recommender for
    Multi-Domain CTR Prediction", CIKM 2021.
    """

    def __init__(
        self,
        domains: Sequence[str],
        units: Sequence[int] = (64, 32, 1),
        auxiliary_units: Sequence[int] | None = (16,),
        normalize: bool = True,
        activation: Any = "relu",
        domain_dim: int = 4,
        momentum: float = 0.99,
        own_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.domains = checked_names(domains, f"Star '{self.name}'", "domains")
        self.units = checked_units(units, f"Star '{self.name}'")
        self.auxiliary_units = None if auxiliary_units is None else list(auxiliary_units)
        self.activation = keras.activations.get(activation)
        self.domain_dim = domain_dim
        self.momentum = momentum
        self.own_regularizer = keras.regularizers.get(own_regularizer)
        policy = {"dtype": self.dtype_policy}
        self._norm = (
            PartitionedNormalization(self.domains, momentum, name="norm", **policy)
            if normalize
            else None
        )
        self._dense = [
            StarDense(
                self.domains, size, self.activation if n < len(self.units) - 1 else None,
                own_regularizer=self.own_regularizer, name=f"dense_{n}", **policy,
            )
            for n, size in enumerate(self.units)
        ]  # fmt: skip
        self._auxiliary = (
            None
            if self.auxiliary_units is None
            else MLP([*self.auxiliary_units, self.units[-1]], activation=self.activation,
                     name="auxiliary", **policy)
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        """Makes the weights of every layer."""
        if self._auxiliary is not None:
            self.domain_vectors = self.add_weight(
                shape=(len(self.domains), self.domain_dim),
                initializer="random_uniform",
                name="domain_vectors",
            )
            self._auxiliary.build((None, input_shape[-1] + self.domain_dim))
        if self._norm is not None:
            self._norm.build(input_shape)
        width = input_shape[-1]
        for dense in self._dense:
            dense.build((None, width))
            width = dense.units

    def call(self, inputs: Any, domain: Any, training: bool = False) -> Any:
        """Returns what each row's domain makes of it."""
        routing = as_routing(domain, len(self.domains))
        x, rows = routing.sort(inputs), routing.for_sorted()
        if self._norm is not None:
            x = self._norm(x, domain=rows, training=training)
        for dense in self._dense:
            x = dense(x, domain=rows)
        x = routing.unsort(x)
        if self._auxiliary is None:
            return x
        vectors = ops.convert_to_tensor(self.domain_vectors)
        own = routing.of_rows(vectors, ops.zeros_like(vectors[0]))
        own = ops.broadcast_to(own, (ops.shape(inputs)[0], self.domain_dim))
        seen = ops.concatenate([ops.cast(inputs, own.dtype), own], axis=-1)
        return x + self._auxiliary(seen)

    def silence(self, domain: int) -> None:
        """Makes the layer give zeros for a domain, until it is trained further.

        Args:
            domain: The domain's number.

        Raises:
            ValueError: there is an auxiliary network, which domains share.
        """
        if self._auxiliary is not None:
            raise ValueError(
                explain(
                    "A layer that is silent for a domain",
                    rule="must have no auxiliary network",
                    received=f"auxiliary_units={self.auxiliary_units}",
                    where=f"Star '{self.name}'",
                )
            )
        self._dense[-1].silence(domain)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "domains": list(self.domains),
            "units": list(self.units),
            "auxiliary_units": self.auxiliary_units,
            "normalize": self._norm is not None,
            "activation": keras.activations.serialize(self.activation),
            "domain_dim": self.domain_dim,
            "momentum": self.momentum,
            "own_regularizer": keras.regularizers.serialize(self.own_regularizer),
        }
