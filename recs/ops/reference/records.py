"""A table of recent records as a dictionary of queues."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

import numpy as np

from recs.ops.admission_rule import AdmissionRule
from recs.ops.eviction_rule import EvictionRule
from recs.ops.reference.admission import Admission
from recs.ops.reference.evicting_rows import EvictingRows, by_shard
from recs.ops.reference.hashing import hash_keys
from recs.ops.reference.row import Row

COUNTS = ("insertions", "removals", "evictions", "not_admitted")
NOTHING = np.zeros(0, np.float32)  # the embedding and the slots of a row of records


class ReferenceRecords(EvictingRows):
    """Keeps the last records of each key, in the order in which they were appended.

    Args:
        width: Floats of a record.
        capacity: Records that are kept of a key.
        admission: Which new keys get a place. Defaults to all.
        eviction: Which keys are given up. Defaults to none.

    Example:
    ```python
    >>> table = ReferenceRecords(width=1, capacity=2)
    >>> table.append([7, 7, 7], [[1.0], [2.0], [3.0]], [10, 20, 30])
    >>> records, lengths, times = table.recent([7, 5])
    >>> records[..., 0].tolist(), lengths.tolist(), times.tolist()
    ([[2.0, 3.0], [0.0, 0.0]], [2, 0], [[20, 30], [0, 0]])

    ```
    """

    def __init__(
        self,
        width: int,
        capacity: int,
        admission: AdmissionRule | None = None,
        eviction: EvictionRule | None = None,
    ) -> None:
        super().__init__(eviction or EvictionRule())
        self.width = width
        self.capacity = capacity
        self._admission = Admission(admission or AdmissionRule())
        self._counts = dict.fromkeys(COUNTS, 0)
        self._rings: dict[Row, deque[tuple[np.ndarray, int]]] = {}

    def append(
        self,
        keys: Sequence[int | bytes],
        records: np.ndarray,
        times: np.ndarray,
        mask: np.ndarray | None = None,
    ) -> None:
        """Adds a record to each key, unless it is masked.

        Raises:
            ValueError: a record is not finite, or a time is not from 0 to 2^32 - 1. Nothing was
                added then.
        """
        records = np.asarray(records, np.float32).reshape(len(keys), self.width)
        times = np.asarray(times, np.int64)
        present = np.ones(len(keys), bool) if mask is None else np.asarray(mask, bool)
        if not np.isfinite(records[present]).all():
            raise ValueError("`records` must be finite.")
        if ((times[present] < 0) | (times[present] >= 2**32)).any():
            raise ValueError("`timestamps` must be seconds from 0 to 2^32 - 1.")
        positions = np.flatnonzero(present).tolist()
        if not positions:
            return
        self._note_time(int(times[present].max()))
        found = self._look_up([keys[p] for p in positions])
        for p in positions:
            row = found[keys[p]]
            if row is not None and row.live:
                self._rings[row].append((records[p].copy(), int(times[p])))
                row.last_time = max(row.last_time, int(times[p]))
        self._step += 1
        self._evict_expired(self._eviction)

    def _look_up(self, keys: Sequence[int | bytes]) -> dict[int | bytes, Row | None]:
        """Returns the row of each distinct key, inserted if it is new and admitted."""
        occurrences = Counter(keys)
        distinct = list(occurrences)
        self._touch(distinct)
        rows: dict[int | bytes, Row | None] = {}
        for key in (distinct[i] for i in by_shard(distinct)):
            before = 0
            if key not in self._rows:
                admitted = self._admission.admit(key, occurrences[key], 0, self._step)
                if admitted is None:
                    self._counts["not_admitted"] += 1
                    rows[key] = None
                    continue
                before = admitted
                self._make_room()
                key_hash = int(hash_keys([key])[0])
                self._rows[key] = Row(key_hash, NOTHING, NOTHING, NOTHING, count=before)
                self._rings[self._rows[key]] = deque(maxlen=self.capacity)
                self._counts["insertions"] += 1
            rows[key] = row = self._rows[key]
            row.count += occurrences[key]
            row.last_step = self._step
        return rows

    def recent(
        self, keys: Sequence[int | bytes], mask: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns records `(n, capacity, width)`, how many `(n,)`, and times `(n, capacity)`."""
        records = np.zeros((len(keys), self.capacity, self.width), np.float32)
        lengths = np.zeros(len(keys), np.int32)
        times = np.zeros((len(keys), self.capacity), np.int64)
        for p, key in enumerate(keys):
            if mask is not None and not mask[p]:
                continue
            ring = self._rings[self._rows[key]] if key in self._rows else ()
            for i, (record, time) in enumerate(ring):
                records[p, i], times[p, i] = record, time
                lengths[p] += 1
        return records, lengths, times

    def remove(self, keys: Sequence[int | bytes]) -> int:
        """Removes keys with their records; returns how many were there."""
        removed = 0
        for key in keys:
            row = self._rows.pop(key, None)
            if row is None:
                self._admission.forget(key)
                continue
            row.live = False
            removed += 1
        self._counts["removals"] += removed
        return removed

    def size(self) -> int:
        """Returns the number of keys."""
        return len(self._rows)

    def stats(self) -> dict[str, int]:
        """Returns the counts of a record table that the storage does not decide."""
        waiting = len(self._admission.waiting)
        return {**self._counts, "rows": self.size(), "step": self._step, "waiting": waiting}
