"""In-batch softmax over a score matrix: the arithmetic behind `recs.tasks.Retrieval`.

Row `i` of a score matrix is a query, column `j` a candidate, and candidate `i` is the one that
query `i` chose. Columns past the last query are extra negatives, shared by every query.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# The correction divides by the probability; below this it would let one row rule the loss.
SMALLEST_PROBABILITY = 1e-6


def large_negative(dtype: str) -> float:
    """Returns a finite score of `dtype` that no softmax notices and no later sum overflows."""
    # TFRS's constant, a hundredth of float32's range; half of float16's.
    return -32752.0 if dtype == "float16" else -3.4028234663852886e36


def in_full_precision(x: Any) -> Any:
    """Returns `x`, cast to float32 when it is of half precision or not a float at all."""
    x = ops.convert_to_tensor(x)
    wide = keras.backend.standardize_dtype(x.dtype) in ("float32", "float64")
    return x if wide else ops.cast(x, "float32")


def scores(queries: Any, candidates: Any) -> Any:
    """Returns the dot products `(queries, candidates)`; of several heads a query, the largest.

    Args:
        queries: `(queries, dim)`, or `(queries, heads, dim)`.
        candidates: `(candidates, dim)`.
    """
    if len(queries.shape) == 3:
        return ops.max(ops.einsum("qne,ce->qnc", queries, candidates), axis=1)
    return ops.matmul(queries, ops.transpose(candidates))


def own_scores(queries: Any, candidates: Any) -> Any:
    """Returns the score of query `i` with candidate `i`, `(queries,)`."""
    own = candidates[: ops.shape(queries)[0]]
    if len(queries.shape) == 3:
        return ops.max(ops.einsum("qne,qe->qn", queries, own), axis=1)
    return ops.sum(queries * own, axis=-1)


def log_probability(probability: Any, dtype: str) -> Any:
    """Returns `log(clip(p, 1e-6, 1))` in `dtype`."""
    return ops.log(ops.clip(ops.cast(probability, dtype), SMALLEST_PROBABILITY, 1.0))


def numbered(ids: Any) -> Any:
    """Returns ids to compare with each other: strings as numbers, equal for equal strings.

    A matrix of comparisons of strings takes many times as long as one of numbers.

    Args:
        ids: `(candidates,)`.
    """
    if keras.backend.standardize_dtype(ids.dtype) != "string":
        return ids
    import tensorflow as tf

    return tf.unique(ids).idx


def same_id(ids: Any, count: Any) -> Any:
    """Returns which columns carry the id of the row's own candidate, `(count, candidates)`."""
    ids = numbered(ids)
    return ops.equal(ops.expand_dims(ids[:count], 1), ops.expand_dims(ids, 0))


def at_most(count: int, columns: Any) -> Any:
    """Returns the smaller of the two, as an int when the number of columns is known."""
    return min(count, columns) if isinstance(columns, int) else ops.minimum(count, columns)


def hardest_negatives(logits: Any, count: int) -> Any:
    """Returns the `count` largest logits of each row besides its own candidate's.

    One column more than needed is looked at, and the own candidate's, or else the last, is pushed
    down: so no mask of the matrix's size is needed to leave the diagonal out.

    Args:
        logits: `(queries, candidates)`.
        count: How many to keep, at least 1.
    """
    columns = ops.shape(logits)[1]
    keep = at_most(count + 1, columns)
    largest, where = ops.top_k(logits, k=keep)
    own = ops.equal(where, ops.expand_dims(ops.arange(ops.shape(logits)[0]), 1))
    last = ops.equal(ops.arange(ops.shape(largest)[1]), count)
    dropped = ops.logical_or(own, ops.logical_and(last, ~ops.any(own, axis=1, keepdims=True)))
    dtype = keras.backend.standardize_dtype(logits.dtype)
    return ops.where(dropped, ops.cast(large_negative(dtype), dtype), largest)


def softmax_loss(positive: Any, logits: Any, sample_weight: Any = None) -> Any:
    """Returns `sum_i w_i * (logsumexp_j(logits_ij) - positive_i)`.

    No label matrix is built: what a one-hot row would pick out is passed as `positive`.

    Args:
        positive: `(queries,)`, the logit of the right candidate, which `logits` contains too.
        logits: `(queries, candidates)`.
        sample_weight: `(queries,)` or `(queries, 1)`; one each when None.
    """
    losses = ops.logsumexp(logits, axis=1) - positive
    if sample_weight is None:
        return ops.sum(losses)
    return ops.sum(losses * ops.reshape(ops.cast(sample_weight, losses.dtype), (-1,)))


def softmax_rows(positive: Any, negatives: Any, mask: Any = None) -> Any:
    """Returns `log(exp(s+) + sum_j exp(s_j)) - s+` of each row, `(rows,)`, never below 0.

    Args:
        positive: `(rows,)`.
        negatives: `(rows, candidates)`.
        mask: bool `(rows, candidates)`, false for what is no negative; None for all.
    """
    if mask is not None:
        dtype = keras.backend.standardize_dtype(negatives.dtype)
        negatives = ops.where(mask, negatives, ops.cast(large_negative(dtype), dtype))
    whole = ops.concatenate([ops.expand_dims(positive, 1), negatives], axis=1)
    return ops.logsumexp(whole, axis=1) - positive
