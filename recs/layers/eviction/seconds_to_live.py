"""Eviction of what has not been used for some time."""

from __future__ import annotations

import dataclasses

import keras

from recs.layers.policy import Policy
from recs.ops.eviction_rule import EvictionRule


@keras.saving.register_keras_serializable("recs.eviction")
@dataclasses.dataclass(frozen=True)
class SecondsToLive(Policy):
    """Gives a row up whose last use in training is more than `seconds` ago.

    The time of a look-up is the clock's, or the newest of the call argument `timestamps`: the time
    of the events, so that logs of a year are forgotten as they were written, however fast they are
    read. All look-ups of a table have the one or the other; the first decides, and a mixture raises
    a `ValueError`. A saved state does not say which it was.

    Rows are judged by the earlier of the last two look-ups' times. So one event far in the future
    makes no other row old; only its own batch's rows stay longer. A row that training has never
    looked up is as old as its last setting by hand. For when rows are looked at, see `StepsToLive`.

    Args:
        seconds: At least 1.

    Raises:
        ValueError: `seconds` is no such integer.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(2, eviction=recs.layers.eviction.SecondsToLive(3600))
    >>> for i, item in enumerate([7, 8, 9]):
    ...     _ = layer(np.array([item]), timestamps=np.array([1e9 + 7200 * i]), training=True)
    >>> layer.table.evict()
    1
    >>> layer.table.evicted_keys().tolist()
    [7]

    ```

    Reference: expiry by event time, as in Monolith.
    """

    seconds: int

    def __post_init__(self) -> None:
        self._require_count("seconds", most=2**32 - 1)

    def rule(self) -> EvictionRule:
        """Returns it as the table takes it."""
        return EvictionRule(seconds_to_live=self.seconds)
