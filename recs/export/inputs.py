"""One input of a model as batched tensors, which is all that a server can batch."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recs.errors import explain


@dataclasses.dataclass(frozen=True)
class Input:
    """An input of a model as a server sends it.

    A dense input is a tensor. Ragged and sparse ids are `name`, `(batch, n)` with anything behind
    the ids of a row, and `name_lengths`, `(batch,)`: the number of ids of each row. (Row splits and
    indices of nonzeros cannot be put end to end, which is what a server does to form a batch.)
    Other sparse inputs are dense.

    Attributes:
        specs: The tensors, one or two.
        kind: `"dense"`, `"ragged"` or `"sparse"`.
    """

    specs: tuple[tf.TensorSpec, ...]
    kind: str

    def assemble(self, tensors: dict[str, tf.Tensor]) -> Any:
        """Returns what the model is called with, from the tensors of a request."""
        values = tensors[self.specs[0].name]
        if self.kind == "dense":
            return values
        if len(self.specs) == 1:
            return tf.sparse.from_dense(values)
        lengths = tensors[self.specs[1].name]
        if self.kind == "ragged":
            return tf.RaggedTensor.from_tensor(values, lengths)
        indices = tf.where(tf.sequence_mask(lengths, tf.shape(values)[1]))
        shape = tf.shape(values, out_type=tf.int64)
        sparse = tf.SparseTensor(indices, tf.gather_nd(values, indices), shape)
        sparse.set_shape(values.shape)
        return sparse


def as_input(name: str, leaf: Any, where: str) -> Input:
    """Returns the input for a spec, a `KerasTensor` or a batch of examples.

    Args:
        name: What it is to be called.
        leaf: The spec; its first axis is the batch.
        where: The model, for messages.

    Raises:
        ValueError: it says no shape or dtype, has no batch axis, or is ragged beyond one axis.
    """
    if isinstance(leaf, np.ndarray | list):
        leaf = tf.convert_to_tensor(leaf)
    kind = _kind(leaf)
    if getattr(leaf, "shape", None) is None or leaf.dtype is None:
        raise _bad(name, "must have a shape and a dtype", repr(leaf), where)
    shape = list(leaf.shape)
    dtype = tf.as_dtype(leaf.dtype)
    if not shape:
        raise _bad(name, "must be batched: a server puts requests end to end", "a scalar", where)
    if kind == "ragged" and len(shape) != 2:
        raise _bad(name, "must be `(batch, n)` when it is ragged", f"shape {shape}", where)
    values = tf.TensorSpec([None, *shape[1:]], dtype, name=name)
    if kind == "dense" or (kind == "sparse" and not _is_ids(dtype)):
        return Input((values,), kind)
    if len(shape) != 2:
        raise _bad(name, "must be `(batch, n)` when it is sparse", f"shape {shape}", where)
    return Input((values, tf.TensorSpec([None], tf.int64, name=f"{name}_lengths")), kind)


def _kind(leaf: Any) -> str:
    if isinstance(leaf, tf.RaggedTensorSpec | tf.RaggedTensor) or getattr(leaf, "ragged", False):
        return "ragged"
    is_sparse = isinstance(leaf, tf.SparseTensorSpec | tf.SparseTensor)
    if is_sparse or (isinstance(leaf, keras.KerasTensor) and leaf.sparse):
        return "sparse"
    return "dense"


def _is_ids(dtype: tf.DType) -> bool:
    return dtype.is_integer or dtype == tf.string


def _bad(name: str, rule: str, received: str, where: str) -> ValueError:
    return ValueError(
        explain(
            f"Input '{name}'",
            rule=rule,
            received=received,
            where=where,
            remedy="Write the signature yourself and give it as `signatures=`.",
        )
    )
