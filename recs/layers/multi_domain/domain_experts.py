"""Experts that domains share, experts of each domain's own, and a gate a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from recs.layers.checked import checked_names
from recs.layers.found_parts import FoundParts
from recs.layers.multi_domain.routing import as_routing
from recs.layers.multi_task.experts import Experts


@keras.saving.register_keras_serializable("recs")
class DomainExperts(FoundParts, keras.layers.Layer):
    """Mixes, for a row, experts that all domains share with those of the row's own domain.

    `h = sum_e g_d(z)_e f_e`, where `e` goes through the shared experts, on `x`, and those of the
    row's domain `d`, on `z = [x, o_d]` with the features `o_d` that only this domain has; and
    `g_d(z) = softmax(G_d z + c_d)`. Shared experts learn from all rows. Experts and gate of a
    domain see its rows alone, and cost nothing on others.

    Masking: none. An empty batch gives an empty result. Rows of no domain get the mean of the
    shared experts.

    Args:
        domains: Names of the domains.
        shared: How many experts all share, or a list of any Keras layers or models from `x` to
            vectors. Defaults to `2`.
        own: How many experts each domain has; or a dict of these, or of lists of layers from `z`
            to vectors, with 1 for domains that it lacks. Defaults to `1`.
        units: Sizes of each expert's dense layers; given layers must make vectors of the last of
            them. Defaults to `(64,)`.
        activation: Of the experts. Defaults to `"relu"`.
        shared_start: float. How much higher than the others the shared experts stand in the gate
            at the start, as a difference of logits. Defaults to `0.0`.
        kernel_regularizer: Of the experts' kernels. Defaults to `None`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, dim)`.
        domain: `(batch,)` integers, numbers of domains in their order; or one int for all rows.
        own: A dict, domain to `(rows of the domain, own_dim)`, in the order of the batch.

    Shapes: -> `(batch, units[-1])`.

    Raises:
        ValueError: `domains` are no different names, or numbers of experts or `units` no positive
            integers.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.layers.multi_domain import DomainExperts
    >>> experts = DomainExperts(["books", "films"], units=(8,))
    >>> experts(keras.ops.ones((3, 5)), np.array([1, 0, 1])).shape
    TensorShape([3, 8])

    ```

    Reference: The idea of shared and own experts: Tang et al., "Progressive Layered Extraction
    (PLE)", RecSys 2020, there for tasks.
    """

    def __init__(
        self,
        domains: Sequence[str],
        shared: int | Sequence[keras.layers.Layer] = 2,
        own: int | Mapping[str, int | Sequence[keras.layers.Layer]] = 1,
        units: Sequence[int] = (64,),
        activation: Any = "relu",
        shared_start: float = 0.0,
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.domains = checked_names(domains, f"DomainExperts '{self.name}'", "domains")
        self._given_own = dict(own) if isinstance(own, Mapping) else own
        self.shared_start = shared_start
        self._width = list(units)[-1]
        form = {"activation": activation, "kernel_regularizer": kernel_regularizer,
                "dtype": self.dtype_policy}  # fmt: skip
        self.shared = Experts(shared, units, name="shared", **form)
        # Numbered, because names of domains may hold anything.
        self.own = [
            Experts(
                own.get(name, 1) if isinstance(own, Mapping) else own, units, name=f"own_{d}",
                **form,
            )
            for d, name in enumerate(self.domains)
        ]  # fmt: skip
        self.gates = [
            keras.layers.Dense(
                self.shared.count + experts.count,
                bias_initializer=_Start(self.shared.count, shared_start),
                dtype=self.dtype_policy,
                name=f"gate_{d}",
            )
            for d, experts in enumerate(self.own)
        ]

    def build(self, inputs_shape: Any, own_shape: Mapping[str, Any] | None = None) -> None:
        """Makes the weights of experts and gates."""
        dim = inputs_shape[-1]
        self.shared.build((None, dim))
        for name, experts, gate in zip(self.domains, self.own, self.gates, strict=True):
            width = dim + ((own_shape or {}).get(name) or (0,))[-1]
            experts.build((None, width))
            gate.build((None, width))

    def call(self, inputs: Any, domain: Any, own: Mapping[str, Any] | None = None) -> Any:
        """Returns each row's mixture."""
        routing = as_routing(domain, len(self.domains))
        x = ops.cast(inputs, self.compute_dtype)
        shared = self.shared(x)
        made = {d: self._of_domain(d, z, own or {}) for d, z in routing.split(x).items()}
        # What all share is mixed for all rows at once.
        parts = routing.join({d: part for d, (part, _) in made.items()})
        mixed = ops.sum(ops.expand_dims(parts, -1) * shared, axis=1)
        return mixed + routing.join({d: one for d, (_, one) in made.items()})

    def _of_domain(self, d: int, z: Any, own: Mapping[str, Any]) -> tuple[Any, Any]:
        """Returns the shared experts' parts, and the mixture of the domain's own experts."""
        count, rows = self.shared.count, ops.shape(z)[0]
        if d == len(self.domains):
            parts = ops.full((rows, count), 1.0 / count, dtype=z.dtype)
            return parts, ops.zeros((rows, self._width), dtype=z.dtype)
        if (features := own.get(self.domains[d])) is not None:
            z = ops.concatenate([z, ops.cast(features, z.dtype)], axis=-1)
        parts = ops.softmax(self.gates[d](z), axis=-1)
        mixed = ops.sum(ops.expand_dims(parts[:, count:], -1) * self.own[d](z), axis=1)
        return parts[:, :count], mixed

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        form = self.shared.get_config()
        own = self._given_own
        if isinstance(own, Mapping):
            made = {name: experts.get_config()["experts"] for name, experts in
                    zip(self.domains, self.own, strict=True)}  # fmt: skip
            own = {name: made[name] for name in own}
        return {
            **super().get_config(),
            "domains": list(self.domains),
            "shared": form["experts"],
            "own": own,
            **{key: form[key] for key in ("units", "activation", "kernel_regularizer")},
            "shared_start": self.shared_start,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DomainExperts:
        """Rebuilds the layer from `get_config`."""
        config = dict(config)
        config["shared"] = _revived(config["shared"])
        if isinstance(config["own"], Mapping):
            config["own"] = {name: _revived(value) for name, value in config["own"].items()}
        return cls(**config)


@keras.saving.register_keras_serializable("recs")
class _Start(keras.initializers.Initializer):
    """The first entries at a number, the others at zero."""

    def __init__(self, first: int, value: float) -> None:
        self.first = first
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return ops.cast(ops.where(ops.arange(shape[0]) < self.first, self.value, 0.0), dtype)

    def get_config(self) -> dict[str, Any]:
        return {"first": self.first, "value": self.value}


def _revived(experts: Any) -> Any:
    if isinstance(experts, int):
        return experts
    return [keras.saving.deserialize_keras_object(expert) for expert in experts]
