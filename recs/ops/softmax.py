"""The softmax of what queries chose among shared candidates, in one op."""

from __future__ import annotations

import tensorflow as tf

from recs.ops.library import ops


def softmax_loss(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    *,
    bias: tf.Tensor | None = None,
    weight: tf.Tensor | None = None,
    positive: tf.Tensor | None = None,
    numbers: tuple[tf.Tensor, tf.Tensor] | None = None,
    without_diagonal: bool = False,
    lowest: float = -1e36,
    with_gradient: bool,
) -> tf.Tensor:
    """Returns `sum_i w_i loss_i`, differentiable in all floats, without a matrix of the scores.

    With `s_ij = q_i . c_j + b_j` and `z_i = log sum_j exp(s_ij)` over the columns that are not left
    out, `loss_i = log(exp(p_i) + exp(z_i)) - p_i`, or `z_i` where no positive scores are given. A
    block of rows at a time: the scores are made, used for the loss and both gradients, and
    overwritten, in three matrix products that stay in the caches.

    Args:
        queries: `(rows, dim)` float32.
        candidates: `(columns, dim)` float32.
        bias: `(columns,)`. Defaults to `None`, for 0.
        weight: `(rows,)`. Defaults to `None`, for 1.
        positive: `(rows,)`. Defaults to `None`, for none.
        numbers: `(rows,)` and `(columns,)` integers: columns with a row's number are left out of
            it. Defaults to `None`.
        without_diagonal: whether column `i` is left out of row `i`, where there are no numbers.
        lowest: what `z_i` is of no columns.
        with_gradient: whether the gradient is going to be asked for, and so taken on the way
            forward; else the way back computes everything again.
    """
    given = {"bias": bias, "weight": weight, "positive": positive}
    there = {name: value for name, value in given.items() if value is not None}
    nothing = tf.constant(0, tf.int64)
    own, others = (nothing, nothing) if numbers is None else (tf.cast(x, tf.int64) for x in numbers)

    def solve(tensors: tuple[tf.Tensor, ...], gradient: bool) -> tuple[tf.Tensor, ...]:
        named = dict(zip(there, tensors[2:], strict=True))
        more = [named.get(name, tf.constant(0.0)) for name in given]
        result: tuple[tf.Tensor, ...] = ops().recs_softmax_loss(
            *tensors[:2], *more, own, others,
            with_gradient=gradient, without_diagonal=without_diagonal, lowest=lowest,
        )  # fmt: skip
        return result

    @tf.custom_gradient
    def run(*tensors: tf.Tensor):  # type: ignore[no-untyped-def]
        solved = solve(tensors, with_gradient)
        losses = solved[0]
        weights = dict(zip(there, tensors[2:], strict=True)).get("weight")

        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            losses, of_queries, of_candidates, of_positive, of_bias = (
                solved if with_gradient else solve(tensors, True)
            )
            found = {"bias": of_bias, "weight": losses, "positive": of_positive}
            every = [of_queries, of_candidates, *(found[name] for name in there)]
            return [upstream * one for one in every]

        return tf.reduce_sum(losses if weights is None else losses * weights), gradient

    return run(queries, candidates, *there.values())
