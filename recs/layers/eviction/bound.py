"""A bound on a table's rows or bytes."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from recs.layers.policy import Policy
from recs.ops.eviction_rule import EvictionRule


@dataclasses.dataclass(frozen=True)
class Bound(Policy):
    """Base class of bounds on a table's size; subclasses choose which row is evicted.

    Args:
        max_rows: At least 1. Defaults to `None`: any number.
        max_bytes: At least 1. Defaults to `None`: any number. One of both must be given.

    Raises:
        ValueError: neither is given, or one is no such integer.
    """

    #: Which row makes room, as the engine calls it.
    victims: ClassVar[str]

    max_rows: int | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        given = self.max_rows is not None or self.max_bytes is not None
        self._require(given, "max_rows", "or `max_bytes` must be given")
        for name in ("max_rows", "max_bytes"):
            if getattr(self, name) is not None:
                self._require_count(name)

    def rule(self) -> EvictionRule:
        """Returns it as the table takes it."""
        return EvictionRule(
            max_rows=self.max_rows or 0, max_bytes=self.max_bytes or 0, victims=self.victims
        )
