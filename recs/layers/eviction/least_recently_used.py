"""Bounds a table by evicting the least recently used rows."""

from __future__ import annotations

import dataclasses

import keras

from recs.layers.eviction.bound import Bound


@keras.saving.register_keras_serializable("recs.eviction")
@dataclasses.dataclass(frozen=True)
class LeastRecentlyUsed(Bound):
    """Keeps a table within a number of rows or bytes; the row used longest ago makes room.

    The bound holds at every moment: before a row is inserted that would exceed it, another one
    goes. Of rows last used in the same step the one with fewer occurrences goes first. Rows of the
    current step, and of the look-up that inserts, go only when there are no others.

    Up to 4,096 rows (or as many bytes as these have) the bound is the table's as a whole, and the
    order is exact. A larger bound is divided among the table's 64 parts, to which ids belong by
    their hash: a part that is full gives up a row though others may have room, at around 97 % of a
    million rows (four standard deviations of a part's share: `4 * sqrt(64 / max_rows)`). Which row
    goes is then decided among 512 of the part at a time, of which the 16 worst are given up, one
    by one, unless they are used in the meantime.

    `max_bytes` counts rows with their slots and headers, 16 bytes a row for the index, and the
    bytes of string ids; the index grows by doubling, so `table.stats()["bytes"]` may be larger. A
    single row is kept whatever its size.

    Args:
        max_rows: At least 1. Defaults to `None`: any number.
        max_bytes: At least 1. Defaults to `None`: any number. One of both must be given.

    Raises:
        ValueError: neither is given, or one is no such integer.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(
    ...     2, optimizer="sgd", eviction=recs.layers.eviction.LeastRecentlyUsed(max_rows=2))
    >>> model = keras.Sequential([layer, keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> for item in (1, 2, 1, 3):
    ...     _ = model.train_on_batch(np.array([item]), np.ones((1, 1)))
    >>> layer.table.contains([1, 2, 3]).tolist()
    [True, False, True]

    ```

    Reference: the sampling is that of Redis, with `maxmemory-policy allkeys-lru`.
    """

    victims = "least_recent"
