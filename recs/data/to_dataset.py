"""Columns to a `tf.data.Dataset`: batches gathered by index, shuffled without a buffer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from recs.data.columns import Column, Lists
from recs.data.epoch_order import epoch_draws
from recs.data.grouped_batches import grouped_batches
from recs.data.ragged_column import RaggedColumn
from recs.data.window_column import WindowColumn
from recs.errors import explain

# Rows gathered at once where the user asks for single rows: large enough to hide the cost of a
# step of the pipeline, small enough to stay in cache.
_CHUNK = 1024

# From row numbers to these rows of a column.
Gather: TypeAlias = Callable[[tf.Tensor], "tf.Tensor | tf.RaggedTensor"]


@tf.autograph.experimental.do_not_convert
def to_dataset(
    columns: Mapping[str, Column],
    *,
    rows: int,
    batch_size: int | None,
    shuffle_seed: int | None,
    reshuffle_each_iteration: bool,
    drop_remainder: bool,
    pad: Mapping[str, Any] | None = None,
    groups: np.ndarray | None = None,
    group_size: int = 1,
) -> tf.data.Dataset:
    """Returns the dataset that `Table.to_dataset` describes; `shuffle_seed=None` keeps the order.

    `groups` are numbers from 0 on, one a row.

    Raises:
        ValueError: when `batch_size` is not positive, or `pad` names a column without lists.
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(
            explain(
                "`batch_size`",
                rule="must be a positive integer, or None for single rows",
                received=f"batch_size={batch_size}",
                where="to_dataset",
            )
        )
    size = batch_size or _CHUNK
    full = batch_size is not None and drop_remainder
    count = rows // size if full else -(-rows // size)
    elements = rows if batch_size is None else count
    if groups is not None and shuffle_seed is not None:
        index = grouped_batches(
            groups, group_size, size, shuffle_seed, reshuffle_each_iteration, elements
        )
    else:
        index = _index_batches(rows, size, elements, shuffle_seed, reshuffle_each_iteration)
    if full:
        index = index.take(count).map(lambda batch: tf.ensure_shape(batch, [size]))

    dataset = gathered(columns, index, pad)
    if batch_size is None:
        dataset = dataset.unbatch()
    # Keras shows the number of steps only where the dataset knows its length.
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(elements))
    return dataset.prefetch(tf.data.AUTOTUNE)


def gathered(
    columns: Mapping[str, Column], index: tf.data.Dataset, pad: Mapping[str, Any] | None = None
) -> tf.data.Dataset:
    """Returns the rows of columns, as many at a time as `index` has numbers of them."""
    with tf.device("CPU:0"):  # Ids and strings belong beside the input pipeline, not on a GPU.
        gathers = {name: _gather(column) for name, column in columns.items()}
    for name, padding in (pad or {}).items():
        gathers[name] = _padded(name, columns.get(name), gathers.get(name), padding)

    def gather(batch: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: rows(batch) for name, rows in gathers.items()}

    return index.map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _gather(column: Column) -> Gather:
    if isinstance(column, WindowColumn):
        return _gather_windows(column)
    tensor = column.to_tensor() if isinstance(column, RaggedColumn) else _tensor(column)
    return lambda batch: tf.gather(tensor, batch)


def _tensor(array: np.ndarray) -> tf.Tensor:
    return tf.constant(array, dtype=tf.string if array.dtype == object else None)


def _gather_windows(column: WindowColumn) -> Gather:
    """Makes the lists of a batch only: those of all rows would be many times the values."""
    values, starts = _tensor(column.values), _tensor(column.starts)
    lengths = _tensor(column.lengths)

    def gather(batch: tf.Tensor) -> tf.RaggedTensor:
        count = tf.gather(lengths, batch)
        splits = tf.concat([[0], tf.cumsum(count)], axis=0)
        first = tf.repeat(tf.gather(starts, batch) - splits[:-1], count)
        rows = tf.gather(values, first + tf.range(splits[-1]))
        return tf.RaggedTensor.from_row_splits(rows, splits, validate=False)

    return gather


def _padded(name: str, column: Column | None, gather: Gather | None, padding: Any) -> Gather:
    if gather is None or not isinstance(column, Lists):
        raise ValueError(
            explain(
                "`pad`",
                rule="must name columns of lists that are in the dataset",
                received=f"{name!r}",
                where="to_dataset",
            )
        )
    rows, width = gather, column.width
    return lambda batch: rows(batch).to_tensor(padding, shape=[None, width])


def _index_batches(
    rows: int, size: int, count: int, seed: int | None, reshuffle_each_iteration: bool
) -> tf.data.Dataset:
    """Returns the row numbers, `size` at a time, in order or in an order drawn each epoch."""

    def numbers(start: tf.Tensor) -> tf.Tensor:
        return tf.range(start, tf.minimum(start + size, rows))

    if seed is None:
        return tf.data.Dataset.range(0, rows, size).map(numbers)
    # Two numbers an epoch decide its permutation. It is evaluated number by number, so that neither
    # a buffer nor a permutation of all rows is ever held.
    draws = epoch_draws(seed, count, reshuffle=reshuffle_each_iteration)

    def epoch(draw: tf.Tensor) -> tf.data.Dataset:
        key = tf.cast(draw, tf.uint32)

        def permuted(start: tf.Tensor) -> tf.Tensor:
            return tf.random.experimental.index_shuffle(numbers(start), key, rows - 1)

        return tf.data.Dataset.range(0, rows, size).map(permuted)

    return draws.flat_map(epoch)
