"""A sum over the rows of a batch, a chunk of rows at a time: memory of a chunk, not of the batch.

What a row of the batch costs may need a number for every candidate. All rows at once would hold a
`[rows, candidates]` matrix, its exponentials and their gradients; a chunk holds a few megabytes,
which stay in the cache of the processor, and is done with before the next one begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# Scores held at once, 8 MB of float32: larger does not fit into a cache, smaller has more overhead.
SCORES_AT_ONCE = 2**21

# From the rows of a chunk, what all rows share, and the number of the chunk's first row.
RowsLoss = Callable[[Sequence[tf.Tensor], Sequence[tf.Tensor], Any], tf.Tensor]


def sum_over_chunks(
    loss: RowsLoss,
    rows: Sequence[tf.Tensor],
    shared: Sequence[tf.Tensor],
    columns: Any,
    with_gradient: bool,
) -> tf.Tensor:
    """Returns the sum of `loss` over chunks of rows, differentiable in all its tensors.

    The gradient is taken within each chunk. With `with_gradient` that happens in the pass forward,
    for a sum's gradient only has to be multiplied by what comes from above: every score is
    computed once. Without, the pass forward computes the sum alone, and the one backward goes
    through the chunks again.

    Args:
        loss: Returns the scalar loss of a chunk. It must depend on no variable but through its
            tensors.
        rows: Tensors with an axis of rows, which is divided.
        shared: Tensors that every chunk gets whole.
        columns: How many numbers a row needs, an int or a scalar tensor.
        with_gradient: Whether the gradient is going to be asked for.
    """
    rows, shared = list(rows), list(shared)
    known = rows[0].shape[0], columns
    if all(isinstance(n, int) for n in known) and known[0] * known[1] <= SCORES_AT_ONCE:
        return loss(rows, shared, 0)
    chunks = _Chunks(loss, len(rows), columns)

    @tf.custom_gradient
    def run(*tensors: tf.Tensor):  # type: ignore[no-untyped-def]
        if with_gradient:
            total, gradients = chunks.total_and_gradients(tensors)
            return total, lambda d: _times(d, gradients)
        total = chunks.total(tensors)
        return total, lambda d: _times(d, chunks.total_and_gradients(tensors)[1])

    return run(*rows, *shared)


class _Chunks:
    """The loops over the chunks."""

    def __init__(self, loss: RowsLoss, row_count: int, columns: Any) -> None:
        self._loss = loss
        self._row_count = row_count
        self._columns = columns

    def total(self, tensors: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the sum of the losses."""
        size, steps = self._division(tensors)

        def body(step: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return step + 1, total + self._loss(*self._parts(tensors, step * size, size))

        start = (tf.constant(0), tf.zeros([], self._dtype(tensors)))
        return tf.while_loop(lambda step, _: step < steps, body, start, parallel_iterations=1)[1]

    def total_and_gradients(
        self, tensors: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor | None]]:
        """Returns the sum of the losses, and its gradient by each tensor, None by integers."""
        size, steps = self._division(tensors)
        floats = [i for i, tensor in enumerate(tensors) if tensor.dtype.is_floating]
        of_rows = [i for i in floats if i < self._row_count]
        of_all = [i for i in floats if i >= self._row_count]

        def body(step: tf.Tensor, total: tf.Tensor, parts: Any, sums: Any) -> tuple[Any, ...]:
            rows, shared, first = self._parts(tensors, step * size, size)
            given = [*rows, *shared]
            watched = [given[i] for i in floats]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(watched)
                loss = self._loss(given[: self._row_count], given[self._row_count :], first)
            found = tape.gradient(loss, watched, unconnected_gradients="zero")
            gradients = dict(zip(floats, map(tf.convert_to_tensor, found), strict=True))
            parts = tuple(a.write(step, gradients[i]) for a, i in zip(parts, of_rows, strict=True))
            sums = tuple(s + gradients[i] for s, i in zip(sums, of_all, strict=True))
            return step + 1, total + loss, parts, sums

        arrays = tuple(
            tf.TensorArray(
                tensors[i].dtype,
                steps,
                infer_shape=False,
                element_shape=tf.TensorShape([None]).concatenate(tensors[i].shape[1:]),
            )
            for i in of_rows
        )
        zeros = tuple(tf.zeros_like(tensors[i]) for i in of_all)
        start = (tf.constant(0), tf.zeros([], self._dtype(tensors)), arrays, zeros)
        _, total, arrays, sums = tf.while_loop(
            lambda step, *_: step < steps, body, start, parallel_iterations=1
        )
        gradients: list[tf.Tensor | None] = [None] * len(tensors)
        for i, array in zip(of_rows, arrays, strict=True):
            gradients[i] = tf.reshape(array.concat(), tf.shape(tensors[i]))
        for i, one in zip(of_all, sums, strict=True):
            gradients[i] = one
        return total, gradients

    def _division(self, tensors: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns how many rows a chunk has, and how many chunks there are, at least one."""
        rows = tf.shape(tensors[0])[0]
        # A multiple of 16, which matrix products like.
        size = tf.maximum(SCORES_AT_ONCE // tf.maximum(self._columns, 1) // 16, 1) * 16
        return size, tf.maximum((rows + size - 1) // size, 1)

    def _parts(
        self, tensors: Sequence[tf.Tensor], first: tf.Tensor, size: tf.Tensor
    ) -> tuple[list[tf.Tensor], list[tf.Tensor], tf.Tensor]:
        rows = [tensor[first : first + size] for tensor in tensors[: self._row_count]]
        return rows, list(tensors[self._row_count :]), first

    def _dtype(self, tensors: Sequence[tf.Tensor]) -> tf.DType:
        return tensors[0].dtype


def _times(upstream: tf.Tensor, gradients: Sequence[tf.Tensor | None]) -> list[tf.Tensor | None]:
    return [None if one is None else upstream * one for one in gradients]
