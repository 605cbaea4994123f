"""Result of a warm start."""

from __future__ import annotations

from typing import NamedTuple


class Filled(NamedTuple):
    """The number of ids that were new, known, and evicted to make room.

    Attributes:
        new: Ids that got a row.
        known: Ids that had one. Theirs was replaced, or left with `only_new`.
        evicted: Ids that a bound on the table's rows or bytes gave up meanwhile; they may be among
            the new ones.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(1)
    >>> recs.warm_start.from_numpy([7, 8], [[1.0], [2.0]]).into(layer)
    Filled(new=2, known=0, evicted=0)

    ```
    """

    new: int
    known: int
    evicted: int
