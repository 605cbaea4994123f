"""Batches from Parquet files that are not read into memory."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from recs.data.parquet_groups import LIST, decoded, layout, read_group, tensors_of
from recs.data.shards import check_sizes, shard_files
from recs.errors import explain

if TYPE_CHECKING:
    import tensorflow as tf


def stream_parquet(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    columns: Sequence[str],
    *,
    batch_size: int,
    shuffle: bool = False,
    seed: int = 0,
    buffer_rows: int = 262_144,
    cycle_length: int = 8,
    drop_remainder: bool = False,
    nulls: Any = "error",
) -> tf.data.Dataset:
    """Returns a dataset of batches that reads row groups as it goes.

    Row groups, of all files, are what is read at once: some tens of thousands of rows each serve
    well (`pyarrow.parquet.write_table(row_group_size=...)`). Memory holds `cycle_length` of them,
    and with `shuffle` a buffer beside, whatever the size of the files.

    With `shuffle`, each epoch takes the row groups in an order of its own, mixes the rows of each,
    reads `cycle_length` groups in turn, a piece of one and a piece of the next, and mixes these
    pieces in a buffer of `buffer_rows` rows. A batch then has rows of many places. Rows are a
    uniform draw only within the buffer and the open groups: where files are sorted, by time or by
    user, write more and smaller groups, or raise both numbers. Everything is decided by `seed`.

    Without it rows come in the order of files, by name, and of rows.

    Reading and decoding run on all cores beside training; batches are cut and mixed as whole
    columns, never row by row.

    Args:
        path: a file, a folder of files ending in `.parquet`, or a list of files.
        columns: the columns to read, of numbers, booleans, times, strings, or lists of these; the
            others are not touched.
        batch_size: int, positive: rows of a batch.
        shuffle: whether to shuffle. Defaults to `False`.
        seed: int: of the order. Defaults to `0`.
        buffer_rows: int, positive: rows of the buffer to shuffle in. Defaults to `262144`.
        cycle_length: int, positive: how many row groups are open at once. Defaults to `8`.
        drop_remainder: whether to leave out a last batch that is not full. Defaults to `False`.
        nulls: what becomes of rows with a null: `"error"`, `"drop"`, after which the number of
            batches is not known beforehand, or a value that takes its place, or a dict from columns
            to values. A null list is empty. Defaults to `"error"`.

    Shapes: a dict of `(batch_size,)` tensors, the last batch shorter; integers as int64, floats as
        float32, booleans as bool, text as string, times as int64, seconds since 1970 in UTC. Lists
        are `tf.RaggedTensor (batch_size, None)`.

    Raises:
        FileNotFoundError: when there are no files.
        ValueError: when a column is missing or of another kind, a number is not positive, or files
            differ, or a value is null: when the files are opened, by their statistics, or by a look
            at the column where there are none.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> from recs.data import stream_parquet
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.parquet"
    >>> pq.write_table(pa.table({"who": [1, 2, 3], "what": ["a", "b", "c"]}), path)
    >>> for batch in stream_parquet(path, ["who", "what"], batch_size=2):
    ...     print(batch["who"].numpy(), batch["what"].numpy())
    [1 2] [b'a' b'b']
    [3] [b'c']

    ```
    """
    import tensorflow as tf

    from recs.data.epoch_order import epoch_draws

    where = "stream_parquet"
    check_sizes(where, batch_size=batch_size, buffer_rows=buffer_rows, cycle_length=cycle_length)
    files = shard_files(path, ".parquet", where)
    if isinstance(nulls, dict) and (unknown := sorted(set(nulls) - set(columns))):
        raise ValueError(
            explain(
                "`nulls`",
                rule=f"must name some of the columns {', '.join(columns)}",
                received=", ".join(unknown),
                where=where,
            )
        )
    kinds, groups, dropped = layout(files, columns, nulls)
    rows = sum(count for _, _, count in groups)
    dtypes = tensors_of(kinds)

    def read(group: Any) -> list[np.ndarray]:
        file, number, _ = groups[int(group)]
        return read_group(file, number, kinds, nulls)

    def load(group: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.numpy_function(read, [group], [tf.as_dtype(kind) for kind in dtypes.values()])
        values = [tf.ensure_shape(value, [None]) for value in values]
        return dict(zip(dtypes, values, strict=True))

    count = rows // batch_size if drop_remainder else -(-rows // batch_size)
    units = tf.data.Dataset.range(len(groups))
    piece = max(1, min(batch_size // cycle_length, 1024))

    def open_group(group: tf.Tensor, draw: tf.Tensor) -> tf.data.Dataset:
        loaded = tf.data.Dataset.from_tensors(group).map(load)
        return loaded.flat_map(lambda columns: _pieces(columns, piece, draw))

    def epoch(draw: tf.Tensor) -> tf.data.Dataset:
        order = units.shuffle(max(len(groups), 1), draw[0], reshuffle_each_iteration=False)
        pieces = tf.data.Dataset.zip(order, tf.data.Dataset.random(draw[1])).interleave(
            open_group,
            cycle_length=cycle_length,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        buffer = max(1, buffer_rows // piece)
        return pieces.shuffle(buffer, draw[0] + 1, reshuffle_each_iteration=False)

    if shuffle:
        dataset = epoch_draws(seed, -1 if dropped else count).flat_map(epoch)
    else:
        dataset = units.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        dataset = dataset.flat_map(lambda loaded: _pieces(loaded, batch_size, None))
    dataset = dataset.rebatch(batch_size, drop_remainder=drop_remainder)
    if any(kind.startswith(LIST) for kind in kinds.values()):
        dataset = dataset.map(
            lambda batch: decoded(batch, kinds),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
    if not dropped:
        # Keras shows the number of steps only where the dataset knows its length.
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    return dataset.prefetch(tf.data.AUTOTUNE)


def _pieces(columns: dict[str, Any], size: int, draw: Any) -> tf.data.Dataset:
    """Returns the rows, `size` at a time, in an order that `draw` decides, or None in theirs.

    They are copied: a slice would keep the whole row group in memory as long as a buffer has it.
    """
    import tensorflow as tf

    rows = tf.shape(next(iter(columns.values())), tf.int64)[0]

    def piece(start: tf.Tensor) -> dict[str, tf.Tensor]:
        places = tf.range(start, tf.minimum(start + size, rows))
        if draw is not None:
            key = tf.cast(tf.stack([draw, draw + 1]), tf.uint32)
            places = tf.random.experimental.index_shuffle(places, key, rows - 1)
        return {name: tf.gather(column, places) for name, column in columns.items()}

    return tf.data.Dataset.range(0, rows, size).map(piece)
