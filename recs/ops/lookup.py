"""The differentiable look-up: rows of a batch, and where their gradient goes.

A table is not a tensor, so its gradient cannot come back as one. The look-up takes an *anchor*, a
scalar weight without influence on the result, so that a tape which asks for the layer's weights
runs the look-up's gradient function. That function leaves the summed gradient pending in the table
and returns zero for the anchor; the rows change when the optimizer applies (see `recs.optimizers`).
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from recs.ops.library import ops
from recs.ops.table import Table


@dataclasses.dataclass(frozen=True)
class Batch:
    """The ids of one look-up, flat, and how they form bags.

    Attributes:
        keys: `(n,)` ids in the table's dtype.
        mask: `(n,)` bool, false where there is no id, or `(0,)`.
        splits: `(bags + 1,)` int64, where each bag begins, or `(0,)` without a combiner.
        weights: `(n,)` float32, or `(0,)`.
        combiner: `"none"`, `"sum"`, `"mean"` or `"sqrtn"`.
    """

    keys: tf.Tensor
    mask: tf.Tensor
    splits: tf.Tensor
    weights: tf.Tensor
    combiner: str


def find(table: Table, batch: Batch) -> tf.Tensor:
    """Returns rows `(n or bags, dim)` float32 without changing the table or being trained."""
    output, _ = ops().recs_table_find(
        table.handle, batch.keys, batch.mask, batch.splits, batch.weights,
        combiner=batch.combiner, dim=table.dim,
    )  # fmt: skip
    return output


def find_or_insert(
    table: Table,
    batch: Batch,
    anchor: tf.Tensor,
    *,
    emit_unique_rows: bool,
    flag_bad_gradients: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns rows `(n or bags, dim)` and distinct rows `(m, dim)`, both differentiable.

    New ids are inserted with their initial rows. The distinct rows are empty unless
    `emit_unique_rows` (for a regularizer) or weights ask for them.

    Args:
        table: The table.
        batch: The ids.
        anchor: Scalar float32, on the tape.
        emit_unique_rows: Whether the distinct rows are wanted.
        flag_bad_gradients: Give the anchor an infinite gradient when a row's is not finite, so that
            a loss scale skips the step. Otherwise such rows are refused when they are applied.
    """
    weighted = batch.weights.shape != (0,)

    @tf.custom_gradient
    def run(anchor: tf.Tensor, weights: tf.Tensor):  # type: ignore[no-untyped-def]
        del anchor
        output, rows, inverse, unique_rows = ops().recs_table_find_or_insert(
            table.handle, batch.keys, batch.mask, batch.splits, weights,
            combiner=batch.combiner, dim=table.dim, emit_unique_rows=emit_unique_rows or weighted,
        )  # fmt: skip

        def gradient(d_output: tf.Tensor, d_unique: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            bad_rows, d_weights = ops().recs_table_add_gradient(
                table.handle, rows, inverse, batch.splits, weights, tf.convert_to_tensor(d_output),
                unique_rows, tf.convert_to_tensor(d_unique), combiner=batch.combiner,
            )  # fmt: skip
            # Zero, but not a constant: it depends on the op in both cases, so that the op runs
            # wherever the anchor's gradient does.
            zero = tf.cast(tf.minimum(bad_rows, 0), tf.float32)
            if not flag_bad_gradients:
                return zero, d_weights
            return tf.where(bad_rows > 0, float("inf"), zero), d_weights

        return (output, unique_rows), gradient

    return run(anchor, batch.weights)
