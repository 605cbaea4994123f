"""Rows that go by themselves, or for others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recs.ops.eviction_rule import EvictionRule
from recs.ops.reference.eviction import Victims, expired, rank
from recs.ops.reference.hashing import hash_keys
from recs.ops.reference.row import Row


class EvictingRows:
    """The rows of a reference table, and the rules by which they go.

    Args:
        eviction: Which rows the table gives up.
    """

    def __init__(self, eviction: EvictionRule) -> None:
        self._rows: dict[int | bytes, Row] = {}
        self._counts: dict[str, int] = {}
        self._step = 0
        self._times = (0, 0)  # of the last two look-ups
        self._noted_step = -1
        self._eviction = eviction
        self._victims = Victims(eviction)
        self._evicted: list[int | bytes] = []

    def evict(self, rule: EvictionRule | None = None) -> int:
        """Removes what the rules give up now, the table's own or others; returns how many rows."""
        rule = rule or self._eviction
        before = self._counts["evictions"]
        self._evict_expired(rule)
        if rule.max_rows:
            ranked = sorted(self._rows, key=lambda key: rank(rule, self._rows[key]))
            self._evict(ranked[: max(0, len(ranked) - rule.max_rows)])
        return self._counts["evictions"] - before

    def evicted_keys(self) -> list[int | bytes]:
        """Takes the keys evicted since the last call, in no particular order."""
        taken, self._evicted = self._evicted, []
        return taken

    def _now(self) -> int:
        return min(self._times)

    def _note_time(self, time: int) -> None:
        if time and (time, self._step) != (self._times[1], self._noted_step):
            self._times, self._noted_step = (self._times[1], time), self._step

    def _make_room(self) -> None:
        """Lets rows go until one more is within the bound."""
        bound = self._eviction.max_rows
        while bound and len(self._rows) >= bound:
            victim = self._victims.next(self._rows.values(), self._step)
            self._evict([key for key, row in self._rows.items() if row is victim])

    def _touch(self, keys: Sequence[Any]) -> None:
        """Marks known keys as used in this step, so that new ones do not take their place."""
        for key in keys if self._eviction.max_rows else []:
            if key in self._rows:
                self._rows[key].last_step = self._step

    def _evict_expired(self, rule: EvictionRule) -> None:
        for row in self._rows.values():
            if rule.seconds_to_live and row.last_time == 0:
                row.last_time = self._now()  # its life begins now
        now = (self._step, self._now())
        self._evict([key for key, row in self._rows.items() if expired(rule, row, *now)])

    def _evict(self, keys: list[int | bytes]) -> None:
        for key in keys:
            self._rows.pop(key).live = False
            self._evicted.append(key)
        self._counts["evictions"] += len(keys)
        self._counts["removals"] += len(keys)


def by_shard(keys: Sequence[Any]) -> list[int]:
    """Returns the order in which distinct keys are looked up: by the shard of their hash."""
    shards = hash_keys(keys) >> np.uint64(58)
    return sorted(range(len(keys)), key=lambda i: int(shards[i]))
