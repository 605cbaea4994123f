"""Experts: networks side by side that see the same input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.checked import checked_units
from recs.layers.found_parts import FoundParts


@keras.saving.register_keras_serializable("recs")
class Experts(FoundParts, keras.layers.Layer):
    """Several networks side by side, each with weights of its own, on one input.

    Expert `e` is `f_e(x) = a(W_en ... a(W_e1 x + b_e1) ... + b_en)`. Experts of one form are
    computed together, one batched product a level, which costs less than so many dense layers.
    Given as layers, they may be anything that makes vectors of one length from the input.

    Masking: none. An empty batch gives an empty result.

    Args:
        experts: How many, or the experts themselves, Keras layers.
        units: Sizes of the dense layers of each expert; without effect on given layers. Defaults to
            `(64,)`.
        activation: What Keras takes for an activation, of every dense layer. Defaults to `"relu"`.
        kernel_initializer: Of each expert's kernels, drawn for one expert at a time. Defaults to
            `"glorot_uniform"`.
        kernel_regularizer: Of the kernels, all experts' of a level together. Defaults to `None`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(batch, dim)` -> `(batch, experts, units[-1])`.

    Raises:
        ValueError: `experts` or `units` are no positive integers.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_task import Experts
    >>> Experts(3, units=(8, 4))(keras.ops.ones((2, 5))).shape
    TensorShape([2, 3, 4])

    ```

    Reference: Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate
    Mixture-of-Experts", KDD 2018.
    """

    def __init__(
        self,
        experts: int | Sequence[keras.layers.Layer],
        units: Sequence[int] = (64,),
        activation: Any = "relu",
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._given = None if isinstance(experts, int) else list(experts)
        self.count = experts if isinstance(experts, int) else len(experts)
        if self.count < 1:
            raise ValueError(
                explain(
                    "`experts`",
                    rule="must be positive integers, or layers",
                    received=f"experts={experts!r}",
                    where=f"Experts '{self.name}'",
                )
            )
        self.units = checked_units(units, f"Experts '{self.name}'")
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self._kernels: list[Any] = []
        self._biases: list[Any] = []

    def build(self, input_shape: Any) -> None:
        """Makes the weights of every expert."""
        if self._given is not None:
            for expert in self._given:
                if not expert.built:
                    expert.build(input_shape)
            return
        dim = input_shape[-1]
        kernels, biases = [], []
        for level, size in enumerate(self.units):
            kernels.append(
                self.add_weight(
                    shape=(self.count, dim, size),
                    initializer=self._each_expert,
                    regularizer=self.kernel_regularizer,
                    name=f"kernel_{level}",
                )
            )
            biases.append(
                self.add_weight(
                    shape=(self.count, 1, size), initializer="zeros", name=f"bias_{level}"
                )
            )
            dim = size
        self._kernels, self._biases = kernels, biases

    def _each_expert(self, shape: Any, dtype: Any = None) -> Any:
        # One after another: the fans of a kernel are those of one expert.
        made = []
        for expert in range(shape[0]):
            initializer = self.kernel_initializer
            seed = getattr(initializer, "seed", None)
            if isinstance(seed, int):
                # Copies with one seed would draw the same kernel for all.
                config = {**initializer.get_config(), "seed": seed + expert}
                initializer = type(initializer).from_config(config)
            made.append(initializer(shape[1:], dtype=dtype))
        return ops.stack(made)

    def call(self, inputs: Any) -> Any:
        """Returns what each expert makes of the input."""
        if self._given is not None:
            return ops.stack([expert(inputs) for expert in self._given], axis=1)
        hidden = ops.expand_dims(inputs, 0)
        for kernel, bias in zip(self._kernels, self._biases, strict=True):
            hidden = self.activation(ops.matmul(hidden, kernel) + bias)
        return ops.transpose(hidden, (1, 0, 2))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        given = self._given
        return {
            **super().get_config(),
            "experts": self.count
            if given is None
            else [keras.saving.serialize_keras_object(expert) for expert in given],
            "units": list(self.units),
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Experts:
        """Rebuilds the layer from `get_config`."""
        config = dict(config)
        if not isinstance(config["experts"], int):
            config["experts"] = [
                keras.saving.deserialize_keras_object(expert) for expert in config["experts"]
            ]
        return cls(**config)
