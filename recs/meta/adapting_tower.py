"""A chain of dense layers of which some are adapted to each task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from recs.errors import explain


class Change(NamedTuple):
    """Change of a dense layer per task, without a matrix per task.

    `W_t = W + H_t' D_t` and `b_t = b + 1' D_t`: a gradient of a dense layer is a product of its
    inputs and of the gradients of its outputs, and so is a sum of such.

    Attributes:
        inputs: `H`, `(tasks, n, in)`.
        deltas: `D`, `(tasks, n, out)`.
    """

    inputs: tf.Tensor
    deltas: tf.Tensor


class AdaptingTower:
    """The dense layers behind each other in a model, and which of them adapt.

    Layers before the first that adapts run as ever. From there on inputs are `(tasks, n, dim)`, and
    all arithmetic is float32.

    Args:
        name: What the tower is called.
        layers: The chain, all `keras.layers.Dense`.
        adapting: For each, whether it adapts; one at least.
        where: The model, for messages.

    Raises:
        ValueError: a layer is of another kind, or has no weights yet.
    """

    def __init__(
        self, name: str, layers: Sequence[Any], adapting: Sequence[bool], where: str
    ) -> None:
        for layer in layers:
            _check(layer, name, where)
        self.name = name
        self.chain = list(layers)
        first = list(adapting).index(True)
        self.before = self.chain[:first]
        self.layers = self.chain[first:]
        self.adapting = list(adapting)[first:]

    @property
    def width(self) -> int:
        """The length of what the adapting part is given."""
        return int(self.layers[0].kernel.shape[0])

    @property
    def output_width(self) -> int:
        """The length of what it gives."""
        return int(self.layers[-1].kernel.shape[1])

    def unchanged(self) -> list[Change | None]:
        """Returns no change, of every layer."""
        return [None] * len(self.layers)

    def plain(self, x: Any) -> Any:
        """Returns what the layers themselves make of the adapting part's input."""
        for layer in self.layers:
            x = layer(x)
        return x

    def pre_activation(
        self, index: int, h: tf.Tensor, change: Change | None, frozen: bool = False
    ) -> tf.Tensor:
        """Returns `h W_t + b_t` of a layer, `(tasks, n, out)`.

        Args:
            index: Which layer.
            h: `(tasks, n, in)`.
            change: What is added to its weights.
            frozen: Whether the gradient leaves the layer's own weights out.
        """
        layer = self.layers[index]
        kernel = tf.cast(tf.convert_to_tensor(layer.kernel), tf.float32)
        bias = None if layer.bias is None else tf.cast(tf.convert_to_tensor(layer.bias), tf.float32)
        if frozen:
            kernel = tf.stop_gradient(kernel)
            bias = None if bias is None else tf.stop_gradient(bias)
        # All tasks share `W`: one product of two matrices, not one for each task.
        flat = tf.reshape(h, [-1, kernel.shape[0]])
        z = flat @ kernel if bias is None else tf.nn.bias_add(flat @ kernel, bias)
        z = tf.reshape(z, tf.concat([tf.shape(h)[:-1], [kernel.shape[1]]], axis=0))
        if change is None:
            return z
        likeness = tf.matmul(h, change.inputs, transpose_b=True)
        # The bias is the weight of an input that is always 1.
        likeness = likeness if bias is None else likeness + 1.0
        return z + likeness @ change.deltas

    def activated(self, index: int, z: tf.Tensor) -> tf.Tensor:
        """Returns the output of a layer from what is before its activation."""
        activation = self.layers[index].activation
        return z if activation is None else activation(z)

    def run(
        self, x: tf.Tensor, changes: Sequence[Change | None], frozen: bool = False
    ) -> tf.Tensor:
        """Returns the outputs of the changed layers, `(tasks, n, out)`.

        Args:
            x: `(tasks, n, in)`.
            changes: Of each layer.
            frozen: Whether the gradient leaves the own weights of layers that adapt out.
        """
        for index, change in enumerate(changes):
            z = self.pre_activation(index, x, change, frozen and self.adapting[index])
            x = self.activated(index, z)
        return x


def _check(layer: Any, name: str, where: str) -> None:
    if not isinstance(layer, keras.layers.Dense):
        raise ValueError(
            explain(
                "A tower that adapts",
                rule="must be made of `keras.layers.Dense`, with any activations",
                received=f"{type(layer).__name__} '{layer.name}' in '{name}'",
                where=where,
                remedy="Name the layers behind it with `layers=`, or put it before the tower.",
            )
        )
    if not layer.built:
        raise ValueError(
            explain(
                "A tower that adapts",
                rule="must have its weights before `MetaLearner` is made",
                received=f"'{layer.name}' in '{name}', which was not built",
                where=where,
                remedy="Build it where it is made: `self.tower.build((None, width))`.",
            )
        )
