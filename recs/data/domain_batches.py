"""Batches with so many rows of each domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from recs.data.table import Table
from recs.errors import explain

if TYPE_CHECKING:
    import tensorflow as tf


def domain_batches(
    rows: Table,
    shares: Mapping[str, float],
    batch_size: int,
    *,
    column: str = "domain",
    steps: int | None = None,
    seed: int = 0,
) -> tf.data.Dataset:
    """Returns batches in which each domain has a share of its own, whatever its number of rows.

    A domain's rows come in a random order, each once before any comes again, so that a small domain
    with a large share is seen more often than the others.

    Args:
        rows: A table with the domains' names.
        shares: For each domain that is to come, its share; they are divided by their sum, and a
            domain has one row at least.
        batch_size: About how many rows a batch has.
        column: The column of names. Defaults to `"domain"`.
        steps: How many batches an epoch has. Defaults to `None`: as many as hold all rows once.
        seed: int. The same seed gives the same order. Defaults to `0`.

    Raises:
        ValueError: a share is not positive, or its domain has no rows.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.data import Samples, domain_batches
    >>> rows = Samples({"domain": ["large"] * 9 + ["small"], "user": np.arange(10)})
    >>> batches = domain_batches(rows, {"large": 1.0, "small": 1.0}, batch_size=4)
    >>> [batch["domain"].numpy().tolist().count(b"small") for batch in batches]
    [2, 2, 2]

    ```
    """
    import tensorflow as tf

    from recs.data.epoch_order import epoch_draws
    from recs.data.to_dataset import gathered

    names = np.asarray(rows[column]).astype(str)
    total = sum(shares.values())
    parts = []
    for name, share in shares.items():
        own = np.flatnonzero(names == name)
        if share <= 0 or not len(own):
            raise ValueError(
                explain(
                    "`shares`",
                    rule="must be positive, of domains that have rows",
                    received=f"{name!r}: {share}, {len(own)} rows",
                    where="recs.data.domain_batches",
                )
            )
        count = max(1, round(batch_size * share / total))
        own = np.tile(own, -(-count // len(own)))  # enough for a batch
        parts.append((tf.constant(own, tf.int64), count))
    steps = -(-len(rows) // batch_size) if steps is None else steps

    def epoch(draw: tf.Tensor) -> tf.data.Dataset:
        passes = [_passes(*part, draw[0] + number) for number, part in enumerate(parts)]
        joined = tf.data.Dataset.zip(tuple(passes)).map(lambda *rows: tf.concat(rows, axis=0))
        return joined.take(steps)

    batches = gathered(rows.columns, epoch_draws(seed, steps).flat_map(epoch))
    batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
    return batches.prefetch(tf.data.AUTOTUNE)


def _passes(rows: tf.Tensor, count: int, seed: tf.Tensor) -> tf.data.Dataset:
    """Returns row numbers, `count` at a time, in an order of its own each time all have come."""
    import tensorflow as tf

    size = rows.shape[0]

    def of_pass(draw: tf.Tensor) -> tf.data.Dataset:
        key = tf.cast(draw, tf.uint32)

        def batch(number: tf.Tensor) -> tf.Tensor:
            places = tf.range(number * count, (number + 1) * count)
            return tf.gather(rows, tf.random.experimental.index_shuffle(places, key, size - 1))

        return tf.data.Dataset.range(size // count).map(batch)

    return tf.data.Dataset.random(seed).batch(2, drop_remainder=True).flat_map(of_pass)
