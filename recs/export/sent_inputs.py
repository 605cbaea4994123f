"""Brings a request's inputs into the shape that the signature states."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from recs.errors import explain
from recs.layers.row_shapes import after


def as_stated(tensor: Any, spec: Any, signature: str) -> Any:
    """Returns a tensor of the shape that a spec states, from what a request sends.

    TensorFlow does not compare the two when a SavedModel is called. `(batch,)` and `(batch, 1)` are
    taken for one another; any other shape fails when the graph runs.

    Args:
        tensor: The input while the signature is traced.
        spec: Its `tf.TensorSpec`; inputs of other kinds are returned as they are.
        signature: Its name, for the message.
    """
    if not isinstance(spec, tf.TensorSpec) or spec.shape.rank is None:
        return tensor
    # Shapes are inferred from the signature, and a check of them would be folded away.
    sent = tf.compat.v1.placeholder_with_default(tensor, shape=None)
    sizes = tf.shape(sent)
    axes = tf.shape(tf.compat.v1.placeholder_with_default(sizes, shape=[None]))[0]
    stated, batched = spec.shape.as_list(), spec.shape.rank > 0 and spec.shape[0] is None
    fits = axes == len(stated)
    if batched and len(stated) == 1:
        fits |= (axes == 2) & (tf.reduce_prod(sizes[1:]) == 1)
    if batched and len(stated) == 2 and stated[1] in (1, None):
        fits |= axes == 1
    shape = explain(
        f"Input '{spec.name}'",
        rule=f"must be {_shown(stated)}",
        received="another shape",
        where=f"signature '{signature}'",
        remedy="`(batch,)` and `(batch, 1)` are taken for one another.",
    )
    sent = after(sent, fits, shape, sizes)
    target = tf.concat([sizes, tf.ones([tf.maximum(len(stated) - axes, 0)], tf.int32)], 0)
    target = target[: len(stated)]
    if any(size is not None for size in stated):
        wanted = tf.constant([-1 if size is None else size for size in stated])
        sent = after(sent, tf.reduce_all((wanted < 0) | (wanted == target)), shape, sizes)
    return tf.ensure_shape(tf.reshape(sent, target), stated)


def _shown(shape: list[int | None]) -> str:
    names = ["batch" if n == 0 else "n" for n in range(len(shape))]
    sizes = [name if size is None else str(size) for name, size in zip(names, shape, strict=True)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
