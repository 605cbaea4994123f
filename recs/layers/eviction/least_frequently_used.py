"""Bounds a table by evicting the least frequently used rows."""

from __future__ import annotations

import dataclasses

import keras

from recs.layers.eviction.bound import Bound


@keras.saving.register_keras_serializable("recs.eviction")
@dataclasses.dataclass(frozen=True)
class LeastFrequentlyUsed(Bound):
    """Keeps a table within a number of rows or bytes; the row used least often makes room.

    What counts is how often training has looked the id up since its row came in; of equal counts
    the one used longest ago goes. Rows of the current step go only when there are no others, so a
    new id stays for its step at least. Counts do not age: an id that was frequent once stays.
    Together with `StepsToLive` or `SecondsToLive` it goes when it is no longer used.

    Everything else is as for `LeastRecentlyUsed`.

    Args:
        max_rows: At least 1. Defaults to `None`: any number.
        max_bytes: At least 1. Defaults to `None`: any number. One of both must be given.

    Raises:
        ValueError: neither is given, or one is no such integer.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(
    ...     2, optimizer="sgd", eviction=recs.layers.eviction.LeastFrequentlyUsed(max_rows=2))
    >>> model = keras.Sequential([layer, keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> for item in (1, 1, 2, 3):
    ...     _ = model.train_on_batch(np.array([item]), np.ones((1, 1)))
    >>> layer.table.contains([1, 2, 3]).tolist()
    [True, False, True]

    ```

    Reference: the sampling is that of Redis, with `maxmemory-policy allkeys-lfu`.
    """

    victims = "least_frequent"
