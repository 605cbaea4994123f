"""The table behind a layer of recent inputs: from ids to their last records."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.ops.admission_rule import AdmissionRule
from recs.ops.cursor import Cursor
from recs.ops.delta import Delta
from recs.ops.eviction_rule import EvictionRule
from recs.ops.library import ops
from recs.ops.row_initializer import RING, RowInitializer
from recs.ops.table_resource import TableResource, take_time_source

# A ring is a row, and lengths of rows are 32-bit integers; far less is useful.
MOST_FLOATS = 2**24

STATS_OF_RECORDS = (
    *("rows", "bytes", "load", "step", "waiting"),
    *("insertions", "removals", "evictions", "unlogged_evictions", "not_admitted"),
)


class Recent(NamedTuple):
    """The last records of ids, the oldest first and zeros behind the newest.

    Attributes:
        records: `(..., capacity, width)` float32.
        lengths: `(...)` int32, how many of them there are.
        times: `(..., capacity)` int64, the seconds that came with them.
    """

    records: Any
    lengths: Any
    times: Any


class RecordTable(TableResource):
    """A map from ids to the last records that were appended to each: a memory of recent inputs.

    A record is `width` floats and a time in seconds. Each id keeps the last `capacity` of them, by
    the order in which they came; times are kept with them and decide nothing. An id takes its whole
    place, `4 * (1 + capacity * (1 + width))` bytes, when its first record comes.

    Appending is like writing to a variable: it takes place at once, has no gradient, and takes part
    in no optimizer step. All methods may be called in a `tf.function`, and by several threads.

    Policies mean for appending what they mean for a training look-up: a record is an occurrence of
    its id, and an append is a step. Records of an id that is not admitted are dropped, and count
    for its admission; the append that admits it keeps all records that it brings of it. The time of
    an id is the newest of its records.

    Args:
        width: Floats of a record.
        capacity: Records that are kept of an id.
        key_dtype: `"int64"` (every value is a legal id) or `"string"` (any bytes, compared
            exactly).
        name: For messages. Tables are told apart by identity, never by name.
        admission: Which new ids get a place. Defaults to all.
        eviction: Which ids are given up, with their records. Defaults to none. Records have no
            norm, so a minimum norm is refused.

    Raises:
        ValueError: `width` or `capacity` is not a positive integer, both together are too large, or
            `eviction` has a minimum norm.

    Example:
    ```python
    >>> from recs.ops.record_table import RecordTable
    >>> table = RecordTable(width=1, capacity=2, key_dtype="int64")
    >>> table.append([7, 7, -1, 7], [[1.0], [2.0], [3.0], [4.0]], timestamps=[10, 20, 30, 40])
    >>> records, lengths, times = table.recent([7, -1, 5])
    >>> records.numpy()[..., 0].tolist()
    [[2.0, 4.0], [3.0, 0.0], [0.0, 0.0]]
    >>> lengths.numpy().tolist()
    [2, 1, 0]
    >>> times.numpy().tolist()
    [[20, 40], [30, 0], [0, 0]]

    ```
    """

    def __init__(
        self,
        width: int,
        capacity: int,
        key_dtype: str = "int64",
        name: str = "records",
        admission: AdmissionRule | None = None,
        eviction: EvictionRule | None = None,
    ) -> None:
        where = f"record table '{name}'"
        check_size("width", width, where=where)
        check_size("capacity", capacity, where=where)
        floats = 1 + capacity * (1 + width)
        if floats > MOST_FLOATS:
            raise ValueError(
                explain(
                    "`capacity * (1 + width)`",
                    rule=f"must be less than {MOST_FLOATS:,}, for an id takes all of it at once",
                    received=f"capacity={capacity}, width={width}",
                    where=where,
                )
            )
        self.width = width
        self.capacity = capacity
        super().__init__(
            floats,
            key_dtype,
            RowInitializer(RING, capacity, width),
            seed=0,
            name=name,
            admission=admission,
            eviction=eviction,
        )

    def append(self, keys: Any, records: Any, timestamps: Any = None, mask: Any = None) -> None:
        """Adds a record to each id, in the order of the ids; the oldest ones give way.

        Args:
            keys: Ids of any shape; an id may come several times.
            records: Finite floats of shape `keys.shape + (width,)`.
            timestamps: Integers, seconds since 1970, of the ids' shape or one for all. Defaults to
                `None`: the time of the call.
            mask: Bools of the ids' shape; where it is false nothing is added, and the record may be
                anything. Defaults to `None`: all count.

        Raises:
            ValueError: shapes that do not fit, or times that are no integers.
            tf.errors.InvalidArgumentError: a record is not finite, or a time is not from 0 to
                2^32 - 1. Nothing was added then.
        """
        keys = self._keys(keys)
        records = tf.cast(tf.convert_to_tensor(records), tf.float32)
        if not records.shape.is_compatible_with([*keys.shape, self.width]):
            raise ValueError(
                explain(
                    "`records`",
                    rule=f"must have the shape of the ids and an axis of {self.width} floats",
                    received=f"shapes {records.shape} of records and {keys.shape} of ids",
                    where=f"append to record table '{self.name}'",
                )
            )
        if keys.shape.num_elements() == 0:
            return
        where = f"append to record table '{self.name}'"
        take_time_source(self, from_events=timestamps is not None, where=where)
        ops().recs_table_append(
            self.handle,
            _flat(keys),
            _flat_mask(mask),
            records if records.shape.rank == 2 else tf.reshape(records, [-1, self.width]),
            self._times(timestamps, keys),
        )

    def recent(self, keys: Any, mask: Any = None) -> Recent:
        """Returns the last records of ids of any shape; an unknown id has none. Adds nothing.

        Where `mask`, of the ids' shape, is false, an id has none either.
        """
        keys = self._keys(keys)
        found = ops().recs_table_recent(
            self.handle,
            _flat(keys),
            _flat_mask(mask),
            capacity=self.capacity,
            width=self.width,
        )
        if keys.shape.rank == 1:
            return Recent(*found)
        shaped = []
        for flat in found:
            inner = flat.shape[1:]
            tensor = tf.reshape(flat, tf.concat([tf.shape(keys), inner.as_list()], axis=0))
            tensor.set_shape(keys.shape.concatenate(inner))
            shaped.append(tensor)
        return Recent(*shaped)

    def export(self) -> tuple[np.ndarray, Recent]:
        """Returns all ids, shape `(size,)`, and their records as arrays, from one moment.

        The order is repeatable and otherwise without meaning. String ids come as `bytes`.
        """
        keys, rows = ops().recs_table_export(self.handle, K=self.key_dtype)
        return keys.numpy(), self._recent_of(rows.numpy())

    def delta(self, since: Cursor | str | None = None) -> Delta:
        """Returns the ids whose records changed since a cursor, with their records, and those gone.

        Args:
            since: The cursor of the delta before. Defaults to `None`: all ids.

        Raises:
            tf.errors.FailedPreconditionError: as for `save_delta`.
        """
        delta = super().delta(since)
        return dataclasses.replace(delta, rows=self._recent_of(delta.rows))

    def stats(self) -> dict[str, Any]:
        """Returns the counts of `Table.stats` that have a meaning here.

        `rows` are ids with records, `step` is the number of appends, and `not_admitted` counts the
        distinct ids of each append whose records were dropped. The rest is as there: `bytes`,
        `load`, `waiting`, and `insertions`, `removals`, `evictions` and `unlogged_evictions`.
        """
        stats = super().stats()
        return {name: stats[name] for name in STATS_OF_RECORDS}

    def _recent_of(self, rows: np.ndarray) -> Recent:
        """Returns the records of rings as they are stored, `(n, dim)`."""
        words = rows.view(np.uint32)
        written = words[:, 0].astype(np.int64)
        lengths = np.minimum(written, self.capacity)
        places = (written - lengths)[:, None] + np.arange(self.capacity)
        present = places < written[:, None]
        places %= self.capacity
        times = np.take_along_axis(words[:, 1 : 1 + self.capacity].astype(np.int64), places, 1)
        rings = rows[:, 1 + self.capacity :].reshape(-1, self.capacity, self.width)
        records = np.take_along_axis(rings, places[:, :, None], 1)
        records = np.where(present[:, :, None], records, np.float32(0.0))
        return Recent(records, lengths.astype(np.int32), np.where(present, times, 0))

    def _check_eviction(self, rule: EvictionRule) -> None:
        if rule.minimum_norm > 0:
            raise ValueError(
                explain(
                    "`eviction`",
                    rule="must not be by norm, which recent records do not have",
                    received=f"a minimum norm of {rule.minimum_norm}",
                    where=f"record table '{self.name}'",
                    remedy="Evict by age or by a bound: `SecondsToLive`, `StepsToLive`, "
                    "`LeastRecentlyUsed`, `LeastFrequentlyUsed`.",
                )
            )

    def _times(self, timestamps: Any, keys: tf.Tensor) -> tf.Tensor:
        """Returns the time of each id, flat."""
        if timestamps is None:
            times = tf.cast(tf.timestamp(), tf.int64)
        else:
            times = tf.convert_to_tensor(timestamps)
        if times.shape.num_elements() != 0 and not times.dtype.is_integer:
            raise ValueError(
                explain(
                    "`timestamps`",
                    rule="must be integers, seconds since 1970",
                    received=f"dtype {times.dtype.name}",
                    where=f"append to record table '{self.name}'",
                    remedy="Convert them before, so that nothing is rounded: "
                    "`times.astype('int64')`.",
                )
            )
        if times.shape.rank != keys.shape.rank or times.shape.rank is None:
            times = tf.broadcast_to(times, tf.shape(keys))
        return _flat(tf.cast(times, tf.int64))


def check_size(argument: str, value: Any, *, where: str) -> None:
    """Raises a ValueError unless the value of this argument is a positive integer."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return
    text = f"{argument}={value!r}"
    rule = "must be a positive integer"
    raise ValueError(explain(f"`{argument}`", rule=rule, received=text, where=where))


def _flat(tensor: tf.Tensor) -> tf.Tensor:
    return tensor if tensor.shape.rank == 1 else tf.reshape(tensor, [-1])


def _flat_mask(mask: Any) -> tf.Tensor:
    return tf.constant([], tf.bool) if mask is None else _flat(tf.cast(mask, tf.bool))
