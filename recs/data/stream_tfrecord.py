"""Batches from TFRecord files that are not read into memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from recs.data.shards import check_sizes, shard_files
from recs.errors import explain

if TYPE_CHECKING:
    import tensorflow as tf

_DTYPES = ("int64", "float32", "string")


def stream_tfrecord(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    features: Mapping[str, Any],
    *,
    batch_size: int,
    shuffle: bool = False,
    seed: int = 0,
    buffer_rows: int = 65_536,
    cycle_length: int = 8,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Returns a dataset of batches of the `tf.train.Example`s in files.

    With `shuffle`, each epoch takes the files in an order of its own, reads `cycle_length` of them
    in turn and mixes their examples in a buffer of `buffer_rows`, so that files should be more, and
    smaller, than that. Everything is decided by `seed`. Without it examples come in the order of
    files, by name, and of examples. Examples are decoded in batches, on all cores.

    Args:
        path: a file, a folder of files with `.tfrecord` in their names, or a list of files. Names
            that end in `.gz` are read as GZIP.
        features: name to dtype, `"int64"`, `"float32"` or `"string"`, of one value an example; or
            to a feature of `tf.io`, such as `tf.io.RaggedFeature(tf.int64)`.
        batch_size: int, positive: examples of a batch.
        shuffle: whether to shuffle. Defaults to `False`.
        seed: int: of the order. Defaults to `0`.
        buffer_rows: int, positive: examples of the buffer to shuffle in. Defaults to `65536`.
        cycle_length: int, positive: how many files are open at once. Defaults to `8`.
        drop_remainder: whether to leave out a last batch that is not full. Defaults to `False`.

    Shapes: a dict of `(batch_size,)` tensors, or what the features of `tf.io` give. The number of
        batches is not known before the first epoch.

    Raises:
        FileNotFoundError: when there are no files.
        ValueError: when a dtype is none of the three, or a number is not positive. While reading
            TensorFlow raises when an example lacks a feature.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> import tensorflow as tf
    >>> from recs.data import stream_tfrecord
    >>> path = str(pathlib.Path(tempfile.mkdtemp()) / "log.tfrecord")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     for who in (1, 2, 3):
    ...         value = tf.train.Feature(int64_list=tf.train.Int64List(value=[who]))
    ...         example = tf.train.Example(features=tf.train.Features(feature={"who": value}))
    ...         writer.write(example.SerializeToString())
    >>> [b["who"].numpy().tolist() for b in stream_tfrecord(path, {"who": "int64"}, batch_size=2)]
    [[1, 2], [3]]

    ```
    """
    import tensorflow as tf

    from recs.data.epoch_order import epoch_draws

    where = "stream_tfrecord"
    check_sizes(where, batch_size=batch_size, buffer_rows=buffer_rows, cycle_length=cycle_length)
    files = shard_files(path, ".tfrecord", where)
    wanted = {name: _feature(name, kind, where) for name, kind in features.items()}

    def examples(file: tf.Tensor) -> tf.data.Dataset:
        zipped = tf.strings.regex_full_match(file, r".*\.gz")
        return tf.data.TFRecordDataset(file, tf.where(zipped, "GZIP", ""))

    def read(names: tf.data.Dataset, cycle_length: int, block_length: int) -> tf.data.Dataset:
        return names.interleave(
            examples,
            cycle_length=cycle_length,
            block_length=block_length,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )

    def epoch(draw: tf.Tensor) -> tf.data.Dataset:
        names = tf.data.Dataset.from_tensor_slices(files)
        names = names.shuffle(len(files), draw[0], reshuffle_each_iteration=False)
        mixed = read(names, cycle_length, 16)
        return mixed.shuffle(buffer_rows, draw[1], reshuffle_each_iteration=False)

    if shuffle:
        dataset = epoch_draws(seed).flat_map(epoch)
    else:
        dataset = read(tf.data.Dataset.from_tensor_slices(files), 1, 1)
    dataset = dataset.batch(batch_size, drop_remainder=drop_remainder)
    return dataset.map(
        lambda batch: tf.io.parse_example(batch, wanted),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    ).prefetch(tf.data.AUTOTUNE)


def _feature(name: str, kind: Any, where: str) -> Any:
    import tensorflow as tf

    if not isinstance(kind, str):
        return kind
    if kind not in _DTYPES:
        raise ValueError(
            explain(
                f"`features[{name!r}]`",
                rule=f"must be one of {', '.join(_DTYPES)}, or a feature of `tf.io`",
                received=repr(kind),
                where=where,
            )
        )
    return tf.io.FixedLenFeature([], tf.as_dtype(kind))
