"""A table of embeddings as a dictionary of rows."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from recs.ops.admission_rule import AdmissionRule
from recs.ops.eviction_rule import EvictionRule
from recs.ops.reference.admission import Admission
from recs.ops.reference.combine import Batch, combine, sum_gradients, weight_gradients
from recs.ops.reference.evicting_rows import EvictingRows, by_shard
from recs.ops.reference.hashing import hash_keys
from recs.ops.reference.initial_row import initial_rows
from recs.ops.reference.lookup import Lookup
from recs.ops.reference.row import Row
from recs.ops.reference.row_rules import row_rule
from recs.ops.row_initializer import BLOCK, RowInitializer

# What happened since a table was made.
COUNTS = (
    *("insertions", "removals", "refused_updates", "stale_updates", "discarded_passes"),
    *("lookups", "hits", "training_lookups", "training_distinct", "training_hits"),
    *("updates", "last_distinct", "evictions", "unlogged_evictions", "not_admitted"),
)


@dataclasses.dataclass(eq=False)
class _Gradients:
    """The summed gradients of one look-up."""

    rows: list[Row | None]
    sums: np.ndarray  # (m, dim)
    scale: np.float32


class ReferenceTable(EvictingRows):
    """Maps keys to rows of floats and grows with the keys it is trained on.

    A training step is `find_or_insert`, `add_gradient` and `commit`:

    - a key is given its initial row when `find_or_insert` first sees it; the row is a function of
      seed, key and initializer;
    - `add_gradient` sums the gradient by distinct key and leaves it *pending*; rows do not change;
    - `commit` adds up everything pending, also of several look-ups, and updates each row once. Rows
      that were removed meanwhile are stale, rows with a NaN or infinite sum are refused; both are
      counted;
    - a `find_or_insert` while gradients are pending discards them: nobody applied that pass;
    - `hold` instead of `commit` keeps the gradients for the next commit (gradient accumulation).

    Not thread-safe.

    Args:
        dim: Length of a row.
        key_dtype: `"int64"` or `"string"` (bytes).
        initializer: Where the rows of new keys come from.
        seed: With the key, it decides the initial row.
        default_value: Every element of the row of a key that has none.
        admission: Which new keys training gives a row. Defaults to all.
        eviction: Which rows the table gives up. Expired rows go after every commit; a bound, of
            rows and at most 4,096, holds always. Defaults to none.

    Example:
    ```python
    >>> table = ReferenceTable(2, "int64", RowInitializer(kind=0, a=1.0), seed=0)
    >>> step = table.find_or_insert(Batch([7, 7, -1]))
    >>> table.add_gradient(step, np.ones((3, 2), np.float32))[0]
    0
    >>> table.commit("sgd", (0.0, 0.0), learning_rate=0.25, step=0)
    2
    >>> table.find(Batch([7, -1, 5]))[0].tolist()
    [[0.5, 0.5], [0.75, 0.75], [0.0, 0.0]]

    ```
    """

    def __init__(
        self,
        dim: int,
        key_dtype: str,
        initializer: RowInitializer,
        seed: int,
        default_value: float = 0.0,
        admission: AdmissionRule | None = None,
        eviction: EvictionRule | None = None,
    ) -> None:
        super().__init__(eviction or EvictionRule())
        self.dim = dim
        self.key_dtype = key_dtype
        self._initializer = initializer
        self._seed = seed
        self._default = np.full(dim, default_value, np.float32)
        self._optimizer = ""
        self._initial_slots: tuple[float, ...] = ()
        self._initial_scalars: tuple[float, ...] = ()
        self._pending: list[_Gradients] = []
        self._held: list[_Gradients] = []
        self._held_applies = 0
        self._admission = Admission(admission or AdmissionRule())
        self._counts = dict.fromkeys(COUNTS, 0)
        self._distinct_of_updates: list[int] = []

    def find(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Returns the output of a look-up and which keys are there `(n,)`; changes nothing.

        An unknown key counts with the default row, a masked position not at all.
        """
        found = np.array([key in self._rows for key in batch.keys], bool) & batch.present()
        rows = [self._rows[k].embedding if k in self._rows else self._default for k in batch.keys]
        self._counts["lookups"] += int(batch.present().sum())
        self._counts["hits"] += int(found.sum())
        return combine(batch, self._stack(rows)), found

    def find_or_insert(self, batch: Batch, time: int = 0) -> Lookup:
        """Returns the output of a training look-up; unknown keys get their initial row.

        Args:
            batch: The keys.
            time: When they were seen, in seconds.
        """
        self._counts["discarded_passes"] += len(self._pending)
        self._pending = []
        self._note_time(time)
        number: dict[int | bytes, int] = {}
        inverse = np.full(len(batch.keys), -1, np.int32)
        for p, key in enumerate(batch.keys):
            if batch.present()[p]:
                inverse[p] = number.setdefault(key, len(number))
                self._counts["training_lookups"] += 1
        distinct = list(number)
        self._counts["training_distinct"] += len(distinct)
        occurrences = np.bincount(inverse[inverse >= 0], minlength=len(distinct))
        self._touch(distinct)
        rows: list[Row | None] = [None] * len(distinct)
        embeddings = [self._default] * len(distinct)
        for i in by_shard(distinct):
            rows[i] = row = self._look_up(distinct[i], int(occurrences[i]), time)
            if row is not None:
                embeddings[i] = row.embedding.copy()
        unique_rows = self._stack(embeddings)
        by_position = np.concatenate([unique_rows, np.zeros((1, self.dim), np.float32)])[inverse]
        return Lookup(combine(batch, by_position), unique_rows, inverse, batch, rows)

    def _look_up(self, key: int | bytes, occurrences: int, time: int) -> Row | None:
        """Returns the row of a key, inserted when it is new, or None when it is not admitted."""
        before = 0
        if key not in self._rows:
            admitted = self._admission.admit(key, occurrences, self._seed, self._step)
            if admitted is None:
                self._counts["not_admitted"] += 1
                return None
            before = admitted
            self._insert(key, self._initial_rows([key])[0], before)
        else:
            self._counts["training_hits"] += occurrences
        row = self._rows[key]
        row.count = min(row.count + occurrences, 2**32 - 1)
        row.last_step = self._step
        row.last_time = max(row.last_time, time)  # an event may come late
        return row

    def add_gradient(
        self, lookup: Lookup, gradient: np.ndarray, unique_gradient: np.ndarray | None = None
    ) -> tuple[int, np.ndarray]:
        """Leaves the gradient of a look-up pending.

        Args:
            lookup: What `find_or_insert` returned.
            gradient: `(n or bags, dim)`, of the output.
            unique_gradient: `(m, dim)`, of the distinct rows; None for zeros.

        Returns:
            How many distinct rows have a gradient that is not finite, and the gradient of the
            weights `(n,)`.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            sums = sum_gradients(lookup.batch, gradient, lookup.inverse, len(lookup.rows))
            if unique_gradient is not None:
                sums += unique_gradient
        self._pending.append(_Gradients(lookup.rows, sums, np.float32(1.0)))
        bad = int((~np.isfinite(sums)).any(axis=1).sum())
        padded = np.concatenate([lookup.unique_rows, np.zeros((1, self.dim), np.float32)])
        with np.errstate(over="ignore", invalid="ignore"):
            return bad, weight_gradients(lookup.batch, gradient, padded[lookup.inverse])

    def hold(self, scale: float = 1.0) -> None:
        """Keeps what is pending, times `scale`, for a later commit."""
        self._hold(scale)
        self._held_applies += 1

    def held_applies(self) -> int:
        """Returns how many times `hold` was called since the last commit."""
        return self._held_applies

    def commit(
        self,
        optimizer: str,
        parameters: Sequence[float],
        *,
        learning_rate: float,
        step: int,
        scale: float = 1.0,
        weight_decay: float = 0.0,
        clipnorm: float = 0.0,
        clipvalue: float = 0.0,
    ) -> int:
        """Updates every row that has a gradient, once, and returns how many were.

        Slots are made at the first commit, and anew when the optimizer or their number changes.

        Args:
            optimizer: A name that `row_rules.row_rule` knows.
            parameters: See there.
            learning_rate: Of this step.
            step: Updates done before this one, for Adam's bias correction.
            scale: What pending (not yet held) gradients are multiplied by.
            weight_decay: What is subtracted of a row first, as a share of it and times the learning
                rate.
            clipnorm: Limit of the norm of all sums together, in which rows that are not finite do
                not count; 0 for none.
            clipvalue: Limit of each element of a sum; 0 for none.
        """
        self._hold(scale)
        taken, self._held, self._held_applies = self._held, [], 0
        rule = row_rule(optimizer, parameters, learning_rate, step, weight_decay)
        shape = (len(rule.initial_slots), len(rule.initial_scalars))
        if (optimizer, *shape) != (
            self._optimizer,
            len(self._initial_slots),
            len(self._initial_scalars),
        ):
            self._optimizer = optimizer
            self._initial_slots, self._initial_scalars = rule.initial_slots, rule.initial_scalars
            for row in self._rows.values():
                row.slots, row.scalars = self._new_slots()
        updated = 0
        with np.errstate(over="ignore", invalid="ignore"):
            merged = self._merge(taken, clipnorm)
            for row, gradient in merged:
                if not row.live:
                    self._counts["stale_updates"] += 1
                elif not np.isfinite(gradient).all():
                    self._counts["refused_updates"] += 1
                else:
                    if clipvalue > 0.0:
                        gradient = np.clip(gradient, -np.float32(clipvalue), np.float32(clipvalue))
                    rule.update(gradient, row.embedding, row.slots, row.scalars)
                    updated += 1
        self._counts["updates"] += 1
        self._counts["last_distinct"] = len(merged)
        self._distinct_of_updates.append(len(merged))
        self._step += 1
        self._evict_expired(self._eviction)
        return updated

    def upsert(self, keys: Sequence[Any], rows: Any) -> None:
        """Sets the rows of keys; of equal keys the last counts. New keys get initial slots.

        Raises:
            ValueError: the shape does not fit, or a row is not finite. Nothing was changed then.
        """
        rows = np.asarray(rows, np.float32)
        if rows.size != len(keys) * self.dim or not np.isfinite(rows).all():
            raise ValueError(f"`rows` must be finite, of shape ({len(keys)}, {self.dim}).")
        last = dict(zip(keys, rows.reshape(len(keys), self.dim), strict=True))
        self._touch(list(last))
        for i in by_shard(list(last)):
            key = list(last)[i]
            if key not in self._rows:
                self._insert(key, last[key].copy(), 0)
                self._admission.forget(key)
            self._rows[key].embedding[:] = last[key]
            if self._rows[key].count == 0:
                self._rows[key].last_step = self._step
                self._rows[key].last_time = self._times[1]

    def remove(self, keys: Sequence[Any]) -> int:
        """Removes keys with their rows and slots; returns how many were there."""
        before = len(self._rows)
        for key in keys:
            if key in self._rows:
                self._rows.pop(key).live = False
            self._admission.forget(key)
        removed = before - len(self._rows)
        self._counts["removals"] += removed
        return removed

    def clear(self) -> None:
        """Removes all keys and forgets all gradients."""
        self.remove(list(self._rows))
        self._admission.waiting.clear()
        self._forget_gradients()

    def export(self) -> dict[int | bytes, np.ndarray]:
        """Returns all keys and copies of their rows."""
        return {key: row.embedding.copy() for key, row in self._rows.items()}

    def metadata(self) -> dict[int | bytes, tuple[int, int]]:
        """Returns for all keys how often training looked them up and at which step it did last."""
        return {k: (r.count, r.last_step if r.count else -1) for k, r in self._rows.items()}

    def size(self) -> int:
        """Returns the number of keys."""
        return len(self._rows)

    def stats(self) -> dict[str, Any]:
        """Returns the counts that do not depend on how the table is built."""
        counts, distinct = self._counts, self._distinct_of_updates

        def rate(hits: str, lookups: str) -> float | None:
            return counts[hits] / counts[lookups] if counts[lookups] else None

        return {
            **counts,
            "hit_rate": rate("hits", "lookups"),
            "training_hit_rate": rate("training_hits", "training_lookups"),
            "mean_distinct": sum(distinct) / len(distinct) if distinct else None,
            "rows": len(self._rows),
            "waiting": len(self._admission.waiting),
            "waiting_dropped": 0,  # the reference has no bound on ids that wait
            "step": self._step,
            "slots": len(self._initial_slots) + len(self._initial_scalars),
            "optimizer": self._optimizer,
        }

    def serialize(self) -> dict[str, Any]:
        """Returns keys, rows, slots, step, seed and drawn initial rows; not what is pending."""
        slots = ("_optimizer", "_initial_slots", "_initial_scalars")
        names = ("key_dtype", "dim", "_rows", *slots, "_step", "_seed", "_initializer",
                 "_admission", "_times")  # fmt: skip
        return copy.deepcopy({name: getattr(self, name) for name in names})

    def deserialize(self, state: dict[str, Any]) -> None:
        """Replaces the state; gradients of look-ups before are forgotten or stale.

        Raises:
            ValueError: it is of a table with another dimension or key type.
        """
        if (state["key_dtype"], state["dim"]) != (self.key_dtype, self.dim):
            raise ValueError("Dimension and key type must be those of the saved table.")
        for row in self._rows.values():
            row.live = False
        # A table keeps its own initializer; only drawn rows give way to drawn rows.
        drawn = state["_initializer"].kind == BLOCK == self._initializer.kind
        kept = {} if drawn else {"_initializer": self._initializer}
        self.__dict__.update(copy.deepcopy(state) | kept)
        self._times, self._noted_step = (self._times[1],) * 2, -1
        self._forget_gradients()

    def _initial_rows(self, keys: Sequence[Any]) -> np.ndarray:
        return initial_rows(hash_keys(keys), self.dim, self._initializer, self._seed)

    def _new_slots(self) -> tuple[np.ndarray, np.ndarray]:
        values = np.array(self._initial_slots, np.float32)[:, None]
        return np.repeat(values, self.dim, axis=1), np.array(self._initial_scalars, np.float64)

    def _insert(self, key: int | bytes, embedding: np.ndarray, count: int) -> None:
        self._make_room()
        key_hash = int(hash_keys([key])[0])
        self._rows[key] = Row(key_hash, embedding, *self._new_slots(), count=count)
        self._counts["insertions"] += 1

    def _stack(self, rows: list[np.ndarray]) -> np.ndarray:
        return np.array(rows, np.float32).reshape(len(rows), self.dim)

    def _hold(self, scale: float) -> None:
        for gradients in self._pending:
            gradients.scale *= np.float32(scale)
        self._held += self._pending
        self._pending = []

    def _forget_gradients(self) -> None:
        self._pending, self._held, self._held_applies = [], [], 0

    def _merge(self, taken: list[_Gradients], clipnorm: float) -> list[tuple[Row, np.ndarray]]:
        """Returns each row with its sum over all look-ups, clipped to a norm."""
        merged: dict[Row, np.ndarray] = {}
        for gradients in taken:
            for row, total in zip(gradients.rows, gradients.sums, strict=True):
                if row is None:
                    continue  # not admitted: there is nothing to update
                scaled = gradients.scale * total
                merged[row] = merged[row] + scaled if row in merged else scaled
        finite = [g.astype(float) for g in merged.values() if np.isfinite(g).all()]
        norm = float(np.sqrt(sum(float(g @ g) for g in finite)))
        if clipnorm > 0.0 and norm > clipnorm:
            factor = np.float32(np.float32(clipnorm) / norm)
            merged = {row: g * factor for row, g in merged.items()}
        return list(merged.items())
