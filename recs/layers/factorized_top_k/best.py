"""The largest scores of each row, faster than by `top_k` alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Columns whose largest score is looked at first. Only the blocks with the `k` largest of these can
# hold one of the `k` best columns.
BLOCK = 32
# Scores held at once, 32 MB of float32, and of how many candidates: the more, the fewer merges.
SCORES_AT_ONCE = 2**23
COLUMNS_AT_ONCE = 2**16


def best_columns(scores: tf.Tensor, k: Any, in_order: bool = True) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what `tf.math.top_k` returns: scores and columns; equal scores by column.

    A row is read once, by a vectorized maximum of every block, instead of through a heap.

    Args:
        scores: `(rows, columns)`.
        k: int or a scalar tensor, at most the number of columns.
        in_order: Whether the best come first.
    """
    columns = scores.shape[1] if scores.shape[1] is not None else tf.shape(scores)[1]
    worth = columns >= 3 * BLOCK * k

    def plain() -> tuple[tf.Tensor, tf.Tensor]:
        values, where = tf.math.top_k(scores, k=k, sorted=in_order)
        return values, where

    def by_blocks() -> tuple[tf.Tensor, tf.Tensor]:
        return _by_blocks(scores, k, in_order)

    if isinstance(worth, bool):
        return by_blocks() if worth else plain()
    return tf.cond(worth, by_blocks, plain)


def _by_blocks(scores: tf.Tensor, k: Any, in_order: bool) -> tuple[tf.Tensor, tf.Tensor]:
    rows, count = tf.shape(scores)[0], tf.shape(scores)[1] // BLOCK
    blocks = tf.reshape(scores[:, : count * BLOCK], [rows, count, BLOCK])
    _, chosen = tf.math.top_k(tf.reduce_max(blocks, axis=2), k=k, sorted=False)
    # By column, so that of equal scores the first comes first.
    chosen = tf.sort(chosen, axis=1)
    inside = tf.reshape(tf.gather(blocks, chosen, batch_dims=1), [rows, k * BLOCK])
    left = tf.concat([inside, scores[:, count * BLOCK :]], axis=1)
    values, where = tf.math.top_k(left, k=k, sorted=in_order)
    block = tf.minimum(where // BLOCK, k - 1)
    of_blocks = tf.gather(chosen, block, batch_dims=1) * BLOCK + where % BLOCK
    of_rest = count * BLOCK + where - k * BLOCK
    return values, tf.where(where < k * BLOCK, of_blocks, of_rest)


def best_rows(
    score: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    queries: tf.Tensor,
    candidates: tf.Tensor,
    k: Any,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the best scores of each query and the rows of their candidates, best first.

    Some queries at a time are scored against some candidates, and the best so far kept: memory
    grows neither with the number of candidates nor with that of queries.

    Args:
        score: From queries and candidates to scores, `(queries, candidates)`.
        queries: `(queries, dim)`.
        candidates: `(candidates, dim)`.
        k: int or a scalar tensor, at most the number of candidates.
    """
    columns = tf.maximum(tf.minimum(tf.shape(candidates)[0], COLUMNS_AT_ONCE), 1)
    size = tf.maximum(SCORES_AT_ONCE // columns, 1)
    total = tf.shape(queries)[0]
    # One turn at least, so that no queries have a result of the right shape.
    turns = tf.maximum((total + size - 1) // size, 1)
    arrays = tuple(
        tf.TensorArray(dtype, turns, infer_shape=False, element_shape=[None, None])
        for dtype in (tf.float32, tf.int32)
    )

    def body(turn: tf.Tensor, values: Any, rows: Any) -> tuple[Any, ...]:
        some = queries[turn * size : (turn + 1) * size]
        found = _best_of_some(lambda few: score(some, few), candidates, tf.shape(some)[0], k)
        return turn + 1, values.write(turn, found[0]), rows.write(turn, found[1])

    _, *arrays = tf.while_loop(
        lambda turn, *_: turn < turns, body, (tf.constant(0), *arrays), parallel_iterations=1
    )
    width = k if isinstance(k, int) else None
    shape = tf.stack([total, tf.cast(k, tf.int32)])
    values, rows = (tf.reshape(array.concat(), shape) for array in arrays)
    return tuple(tf.ensure_shape(x, [queries.shape[0], width]) for x in (values, rows))


def _best_of_some(
    score: Callable[[tf.Tensor], tf.Tensor], candidates: tf.Tensor, queries: Any, k: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    total = tf.shape(candidates)[0]
    size = tf.maximum(SCORES_AT_ONCE // tf.maximum(queries, 1) // BLOCK, 1) * BLOCK

    def best_of(first: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scores = tf.cast(score(candidates[first : first + size]), tf.float32)
        values, rows = best_columns(scores, tf.minimum(k, tf.shape(scores)[1]))
        return values, rows + first

    def merge(first: tf.Tensor, values: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        new_values, new_rows = best_of(first)
        values = tf.concat([values, new_values], axis=1)
        rows = tf.concat([rows, new_rows], axis=1)
        values, order = tf.math.top_k(values, k=tf.minimum(k, tf.shape(values)[1]))
        return first + size, values, tf.gather(rows, order, batch_dims=1)

    some = tf.TensorShape([None, None])
    _, values, rows = tf.while_loop(
        lambda first, *_: first < total,
        merge,
        (size, *best_of(tf.constant(0))),
        shape_invariants=(tf.TensorShape([]), some, some),
        parallel_iterations=1,
    )
    return values, rows


def count_above(scores: tf.Tensor, limits: tf.Tensor) -> tf.Tensor:
    """Returns how many scores `(rows, columns)` are not at most the limits of their row, int32.

    Args:
        scores: `(rows, columns)`.
        limits: `(rows,)`, or `(rows, limits)` with a known number of limits.
    """
    if limits.shape.rank == 2:
        return tf.stack([count_above(scores, one) for one in tf.unstack(limits, axis=1)], axis=1)
    at_most = tf.cast(scores <= limits[:, tf.newaxis], tf.float32)
    # Sums of floats are vectorized, and exact for as many columns as are held at once.
    return tf.shape(scores)[1] - tf.cast(tf.reduce_sum(at_most, axis=1), tf.int32)


def count_rows_above(
    score: Callable[[tf.Tensor], tf.Tensor], candidates: tf.Tensor, limits: tf.Tensor
) -> tf.Tensor:
    """Returns how many candidates score above each limit, some at a time.

    Args:
        score: From some candidates to scores, `(queries, candidates)`.
        candidates: `(candidates, dim)`.
        limits: `(queries,)`, or `(queries, limits)` with a known number of limits.
    """
    total, queries = tf.shape(candidates)[0], tf.shape(limits)[0]
    # Of the size of a processor's cache: scores are read twice, and nothing is left of them.
    size = tf.clip_by_value(2**21 // tf.maximum(queries, 1), 1, 2**23)

    def add(first: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scores = tf.cast(score(candidates[first : first + size]), limits.dtype)
        return first + size, count + count_above(scores, limits)

    start = (tf.constant(0), tf.zeros_like(limits, tf.int32))
    return tf.while_loop(lambda first, _: first < total, add, start, parallel_iterations=1)[1]
