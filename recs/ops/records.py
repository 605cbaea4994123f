"""Metadata of ids beside their rows, as arrays and as a DataFrame."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.ops.library import ops

# What the slots of the engine's rules are called, in the order in which a row has them: as Keras
# calls them where it has them. A rule may go without the last ones.
SLOT_NAMES = {
    "sgd": ("momentum",),
    "adagrad": ("accumulator",),
    "adam": ("momentum", "velocity"),
    "amsgrad": ("momentum", "velocity", "velocity_hat"),
    "adamax": ("momentum", "norm"),
    "nadam": ("momentum", "velocity"),
    "adadelta": ("accumulated_grad", "accumulated_delta_var"),
    "rmsprop": ("velocity", "momentum"),
    "centered_rmsprop": ("velocity", "average_gradient", "momentum"),
    "ftrl": ("accumulator", "linear"),
    "lion": ("momentum",),
    "rowwise_adagrad": ("accumulator",),
    "adagrad_decay": ("accumulator", "period"),
    "lazy_adam": ("momentum", "velocity", "last_update", "updates"),
    "group_ftrl": ("accumulator", "linear"),
}
COUNTERS = ("period", "last_update", "updates")  # whole numbers, of which the bits are stored


@dataclasses.dataclass(frozen=True)
class Metadata:
    """How often and when training has looked ids up.

    Attributes:
        count: int64, how often; 0 for an id that training never met.
        last_step: int64, the table's `step` when it did last, or -1.
        last_time: `datetime64[s]`, the time then, or NaT.
    """

    count: np.ndarray
    last_step: np.ndarray
    last_time: np.ndarray


@dataclasses.dataclass(frozen=True)
class Records:
    """What a table stores of its ids.

    Attributes:
        keys: `(n,)` int64, or `bytes` objects.
        metadata: How often and when they were looked up, `(n,)` each.
        rows: `(n, dim)` float32, or None where they were not asked for.
        slots: By name, `(n, dim)` float32, or `(n,)` for a slot of one number a row, uint32 where
            it counts; in the order of the record. None where they were not asked for.
    """

    keys: np.ndarray
    metadata: Metadata
    rows: np.ndarray | None
    slots: dict[str, np.ndarray] | None


def of_keys(handle: tf.Tensor, keys: tf.Tensor) -> Metadata:
    """Returns the metadata of ids, in their shape."""
    noted = ops().recs_table_metadata(handle, tf.reshape(keys, [-1])).numpy()
    return _metadata(noted.reshape(*keys.shape, 3))


def of_table(
    handle: tf.Tensor, key_dtype: tf.DType, *, rows: bool, slots: bool, limit: int | None
) -> Records:
    """Returns what a table stores, from one moment; see `Table.records`."""
    found = ops().recs_table_records(
        handle, -1 if limit is None else max(limit, 0), K=key_dtype, with_rows=rows,
        with_slots=slots,
    )  # fmt: skip
    named = None
    if slots:
        names = SLOT_NAMES.get(found.optimizer.numpy().decode(), ())
        dim = int(found.rows.shape[1])
        named = _named_slots(found.slots.numpy(), int(found.slot_vectors), dim, names)
    all_rows = found.rows.numpy() if rows else None
    return Records(found.keys.numpy(), _metadata(found.metadata.numpy()), all_rows, named)


def to_pandas(records: Records, *, where: str) -> Any:
    """Returns the records as a `pandas.DataFrame`; see `Table.to_pandas`."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            explain(
                "`to_pandas`",
                rule="needs pandas",
                received="a Python without it",
                where=where,
                remedy="Install it: `pip install 'recs[pandas]'`. `records()` gives the same as "
                "NumPy arrays.",
            )
        ) from error

    keys = records.keys
    if keys.dtype == object:
        keys = np.array([key.decode("utf-8", "surrogateescape") for key in keys], object)
    index = pd.Index(keys, name="id", dtype=object if keys.dtype == object else "int64")
    frames = [pd.DataFrame(vars(records.metadata), index=index)]
    values = {} if records.rows is None else {"row": records.rows}
    for name, block in {**values, **(records.slots or {})}.items():
        columns = [name] if block.ndim == 1 else [f"{name}_{j}" for j in range(block.shape[1])]
        block = block[:, None] if block.ndim == 1 else block
        frames.append(pd.DataFrame(block, index=index, columns=columns))
    return pd.concat(frames, axis=1)


def _metadata(noted: np.ndarray) -> Metadata:
    """Returns count, last step and last time from the last axis."""
    count, last_step, last_time = np.moveaxis(noted, -1, 0)
    times = last_time.astype("datetime64[s]")
    return Metadata(count, last_step, np.where(last_time < 0, np.datetime64("NaT", "s"), times))


def _named_slots(
    slots: np.ndarray, vectors: int, dim: int, names: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Returns each slot of `(n, floats)`: vectors of `dim` first, then single numbers."""
    count = vectors + slots.shape[1] - vectors * dim
    names += tuple(f"slot{i}" for i in range(len(names), count))
    named = {names[v]: slots[:, v * dim : (v + 1) * dim] for v in range(vectors)}
    for s in range(vectors, count):
        column = np.ascontiguousarray(slots[:, vectors * (dim - 1) + s])
        named[names[s]] = column.view(np.uint32) if names[s] in COUNTERS else column
    return named
