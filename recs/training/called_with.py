"""Remembers the inputs of a model, for its exports and to check later calls."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.layers.row_shapes import value_per_row


class CalledWith:
    """Shapes and dtypes of a model's inputs: those of training, or before it of the first call."""

    def __init__(self) -> None:
        self.structure: Any = None
        self.trained = False
        self._trains = False

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Has calls count as training."""
        self._trains = True
        try:
            yield
        finally:
            self._trains = False

    def checked(self, inputs: Any, training: Any, where: str) -> Any:
        """Returns the inputs of a call, with the number of axes that training had.

        `(batch,)` and `(batch, 1)` are taken for one another.

        Args:
            inputs: What the model is called with.
            training: The argument of the call.
            where: The model, for the message.

        Raises:
            ValueError: an input has another number of axes.
        """
        trains = bool(self._trains or training is True)
        leaves = keras.tree.flatten(inputs)
        if any(isinstance(leaf, keras.KerasTensor) for leaf in leaves):
            return inputs
        if self.structure is None or (trains and not self.trained):
            self.structure = _specs(inputs)
            self.trained = trains
            return inputs
        if not self.trained or trains:
            return inputs
        known = dict(keras.tree.flatten_with_path(self.structure))
        found = [
            _as_trained(leaf, known.get(path), _name(path), where)
            for path, leaf in keras.tree.flatten_with_path(inputs)
        ]
        return keras.tree.pack_sequence_as(inputs, found)

    def get_config(self) -> Any:
        """Returns the inputs as plain values, or None where they are not known."""
        if self.structure is None or None in keras.tree.flatten(self.structure):
            return None
        leaves = [
            [list(path), list(spec.shape), spec.dtype.name, isinstance(spec, tf.RaggedTensorSpec)]
            for path, spec in keras.tree.flatten_with_path(self.structure)
        ]
        dicts = all(path and all(isinstance(key, str) for key in path) for path, *_ in leaves)
        single = len(leaves) == 1 and not leaves[0][0]
        return {"inputs": leaves, "trained": self.trained} if dicts or single else None

    def set_config(self, config: Any) -> None:
        """Takes over what `get_config` returned."""
        if config is None:
            return
        structure: Any = {}
        for path, shape, dtype, ragged in config["inputs"]:
            kind = tf.RaggedTensorSpec if ragged else tf.TensorSpec
            spec = kind(shape, tf.as_dtype(dtype))
            if not path:
                structure = spec
                continue
            place = structure
            for key in path[:-1]:
                place = place.setdefault(key, {})
            place[path[-1]] = spec
        self.structure, self.trained = structure, config["trained"]


def _specs(inputs: Any) -> Any:
    return keras.tree.map_structure(_spec, inputs)


def _spec(leaf: Any) -> Any:
    """Returns shape and dtype of an input, any number of rows; None of what is no tensor."""
    if isinstance(leaf, tf.RaggedTensor):
        return tf.RaggedTensorSpec([None, *leaf.shape[1:]], leaf.dtype)
    if isinstance(leaf, tf.Tensor | tf.Variable | np.ndarray) and len(leaf.shape):
        text = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "USO"
        dtype = tf.string if text else tf.as_dtype(leaf.dtype)
        if isinstance(leaf, np.ndarray) and leaf.dtype == np.float64:
            dtype = tf.as_dtype(keras.config.floatx())  # as Keras casts it
        return tf.TensorSpec([None, *leaf.shape[1:]], dtype)
    return None


def _as_trained(leaf: Any, spec: Any, name: str, where: str) -> Any:
    if spec is None or not hasattr(leaf, "shape") or isinstance(leaf, tf.SparseTensor):
        return leaf
    axes, wanted = len(leaf.shape), len(spec.shape)
    ragged = isinstance(leaf, tf.RaggedTensor)
    if wanted == 1 and (axes != 1 or ragged):
        return value_per_row(leaf, name, where)
    if axes == 1 and wanted == 2 and spec.shape[1] in (1, None):
        return leaf[:, None]
    if axes != wanted:
        raise ValueError(
            explain(
                f"Input '{name}'",
                rule=f"must have {wanted} axes, as in training",
                received=f"shape {tuple(leaf.shape)}",
                where=where,
            )
        )
    return leaf


def _name(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path)) or "inputs"
