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

    names = np.asarray(rows[column]).astype(str)
    total = sum(shares.values())
    parts = []
    for number, (name, share) in enumerate(shares.items()):
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
        part = rows.take(own).to_dataset(
            batch_size=count, shuffle=True, seed=seed + number, drop_remainder=True
        )
        parts.append(part.repeat())
    batches = tf.data.Dataset.zip(tuple(parts)).map(_joined)
    return batches.take(-(-len(rows) // batch_size) if steps is None else steps)


def _joined(*parts: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    import tensorflow as tf

    return {name: tf.concat([part[name] for part in parts], axis=0) for name in parts[0]}
