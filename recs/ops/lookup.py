"""The differentiable look-up: rows of a batch, and where their gradient goes.

However many features and tables there are, a step looks all of them up in one op, and takes all of
their gradients in another.

A table is not a tensor, so its gradient cannot come back as one. The look-up takes an *anchor*, a
scalar weight without influence on the result, so that a tape which asks for the layer's weights
runs the look-up's gradient function. That function leaves the summed gradient pending in the table
and returns zero for the anchor; the rows change when the optimizer applies (see `recs.optimizers`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from recs.ops.library import ops
from recs.ops.table import Table
from recs.ops.weight_gradient import weight_gradient


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

    def uncombined(self) -> Batch:
        """Returns the same ids, each for itself."""
        none = (tf.constant([], tf.int64), tf.constant([], tf.float32), "none")
        return Batch(self.keys, self.mask, *none)


@dataclasses.dataclass(frozen=True)
class Lookups:
    """The look-ups of one call: features, and the tables they share or have alone.

    Attributes:
        tables: The tables, each once.
        batches: One a feature.
        table_of: The index of each feature's table.
    """

    tables: Sequence[Table]
    batches: Sequence[Batch]
    table_of: Sequence[int]

    @property
    def handles(self) -> list[tf.Tensor]:
        """The op's handles of the tables."""
        return [table.handle for table in self.tables]

    @property
    def attributes(self) -> dict[str, list[Any]]:
        """The attributes of each feature for the ops."""
        return {
            "combiners": [batch.combiner for batch in self.batches],
            "feature_tables": list(self.table_of),
        }

    @property
    def weighted(self) -> bool:
        """Whether any feature has weights."""
        return any(batch.weights.shape != (0,) for batch in self.batches)

    @property
    def dims(self) -> list[int]:
        """Length of each feature's rows."""
        return [self.tables[t].dim for t in self.table_of]

    def of_batches(self, name: str) -> list[tf.Tensor]:
        """Returns one tensor of every batch."""
        return [getattr(batch, name) for batch in self.batches]


@dataclasses.dataclass(frozen=True)
class Found:
    """Result of a look-up.

    Attributes:
        outputs: One `(n or bags, dim)` float32 a feature.
        known: One `(n,)` bool a feature without a combiner, whether the id has a row, else `(0,)`.
        distinct: One `(m, dim)` float32 a table, each distinct row once; empty unless asked for.
    """

    outputs: list[tf.Tensor]
    known: list[tf.Tensor]
    distinct: list[tf.Tensor] = dataclasses.field(default_factory=list)


def find(lookups: Lookups) -> Found:
    """Returns rows without changing the tables or training them; weights are differentiable."""
    features = len(lookups.batches)

    @tf.custom_gradient
    def run(*weights: tf.Tensor):  # type: ignore[no-untyped-def]
        outputs, known = _find(lookups, lookups.batches, lookups.table_of, weights)

        def gradient(*upstream: tf.Tensor) -> list[tf.Tensor]:
            return [
                _weights_of(lookups, f, w, tf.convert_to_tensor(d))
                for f, (w, d) in enumerate(zip(weights, upstream[:features], strict=True))
            ]

        return (*outputs, *known), gradient

    if not lookups.weighted:  # nothing that has a gradient
        return Found(
            *_find(lookups, lookups.batches, lookups.table_of, lookups.of_batches("weights"))
        )
    results = run(*lookups.of_batches("weights"))
    return Found(list(results[:features]), list(results[features:]))


def _find(
    lookups: Lookups,
    batches: Sequence[Batch],
    table_of: Sequence[int],
    weights: Sequence[tf.Tensor],
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    return ops().recs_tables_find(
        lookups.handles, [b.keys for b in batches], [b.mask for b in batches],
        [b.splits for b in batches], list(weights), dims=[lookups.tables[t].dim for t in table_of],
        combiners=[b.combiner for b in batches], feature_tables=list(table_of),
    )  # fmt: skip


def _weights_of(lookups: Lookups, feature: int, weights: tf.Tensor, d: tf.Tensor) -> tf.Tensor:
    batch, table = lookups.batches[feature], lookups.table_of[feature]
    if weights.shape == (0,) or batch.combiner == "none":
        return tf.zeros_like(weights)
    alone = batch.uncombined()
    (rows,), _ = _find(lookups, [alone], [table], [alone.weights])
    return weight_gradient(rows, batch.mask, batch.splits, weights, batch.combiner, d)


def find_or_insert(
    lookups: Lookups,
    anchor: tf.Tensor,
    *,
    emit_unique_rows: bool,
    emit_known: bool = False,
    flag_bad_gradients: bool,
    time: tf.Tensor | int = 0,
) -> Found:
    """Returns rows of training, which are differentiable, as are the distinct rows.

    New ids are inserted with their initial rows, as far as they are admitted. The distinct rows are
    empty unless `emit_unique_rows` (for a regularizer) or weights ask for them.

    Args:
        lookups: The ids.
        anchor: Scalar float32, on the tape.
        emit_unique_rows: Whether the distinct rows are wanted.
        emit_known: Whether it is wanted which ids have a row; no id's is known otherwise.
        flag_bad_gradients: Give the anchor an infinite gradient when a row's is not finite, so that
            a loss scale skips the step. Otherwise such rows are refused when they are applied.
        time: When the ids were seen, scalar int64 in seconds; 0 for now, -1 for no time.
    """
    features = len(lookups.batches)
    distinct = features + len(lookups.tables)

    @tf.custom_gradient
    def run(anchor: tf.Tensor, *weights: tf.Tensor):  # type: ignore[no-untyped-def]
        del anchor
        outputs, rows, inverse, unique_rows, known = ops().recs_tables_find_or_insert(
            lookups.handles, lookups.of_batches("keys"), lookups.of_batches("mask"),
            lookups.of_batches("splits"), weights, tf.cast(time, tf.int64), dims=lookups.dims,
            emit_unique_rows=emit_unique_rows or lookups.weighted, emit_known=emit_known,
            **lookups.attributes,
        )  # fmt: skip

        def gradient(*upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            bad_rows, d_weights = ops().recs_tables_add_gradient(
                lookups.handles, rows, inverse, lookups.of_batches("splits"), weights,
                [tf.convert_to_tensor(d) for d in upstream[:features]], unique_rows,
                [tf.convert_to_tensor(d) for d in upstream[features:distinct]],
                **lookups.attributes,
            )  # fmt: skip
            # Zero, but not a constant: it depends on the op in both cases, so that the op runs
            # wherever the anchor's gradient does.
            zero = tf.cast(tf.minimum(bad_rows, 0), tf.float32)
            if not flag_bad_gradients:
                return (zero, *d_weights)
            return (tf.where(bad_rows > 0, float("inf"), zero), *d_weights)

        return (*outputs, *unique_rows, *known), gradient

    results = run(anchor, *lookups.of_batches("weights"))
    return Found(
        list(results[:features]), list(results[distinct:]), list(results[features:distinct])
    )
