"""Reads what TensorFlow Datasets prepared into columns, a batch of records at a time.

TFDS decodes one record at a step of the pipeline: 5 s for 100,000 ratings on two cores, twenty
minutes for 25 million. The records are ordinary `tf.train.Example`s, and parsing thousands of them
at once takes 0.2 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recs.data.columns import Column
from recs.data.ragged_column import RaggedColumn

_BATCH = 8192


def read(builder: Any, names: Sequence[str]) -> dict[str, Column]:
    """Returns columns of a prepared TFDS builder, in the order that TFDS gives.

    Strings come as `str`, class labels by their names, lists as a `RaggedColumn`.

    Args:
        builder: of a data set with one split, "train".
        names: features of it: scalars, or lists of numbers or labels.
    """
    batches: dict[str, list[Any]] = {name: [] for name in names}
    for batch in _batches(builder, names):
        for name in names:
            batches[name].append(batch[name])
    features = builder.info.features
    return {name: _column(features[name], parts) for name, parts in batches.items()}


def _batches(builder: Any, names: Sequence[str]) -> Any:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    if builder.info.file_format != tfds.core.FileFormat.TFRECORD:
        wanted = tfds.decode.PartialDecoding(dict.fromkeys(names, True))
        return builder.as_dataset(split="train", decoders=wanted).ragged_batch(_BATCH)
    spec = {name: _parsing(builder.info.features[name]) for name in names}
    files = builder.info.splits["train"].filepaths
    records = tf.data.TFRecordDataset([str(file) for file in files]).batch(_BATCH)
    return records.map(
        lambda batch: tf.io.parse_example(batch, spec), num_parallel_calls=tf.data.AUTOTUNE
    )


def _parsing(feature: Any) -> Any:
    """Returns how a feature lies in a record, which has but three types."""
    import tensorflow as tf

    info = feature.get_tensor_info()
    stored = info.tf_dtype if info.tf_dtype in (tf.string, tf.float32) else tf.int64
    if info.shape == ():
        return tf.io.FixedLenFeature([], stored)
    return tf.io.RaggedFeature(stored, row_splits_dtype=tf.int64)


def _column(feature: Any, parts: Sequence[Any]) -> Column:
    if feature.get_tensor_info().shape == ():
        return _flat(feature, [part.numpy() for part in parts])
    values = _flat(feature.feature, [part.values.numpy() for part in parts])
    lengths = np.concatenate([part.row_lengths().numpy() for part in parts])
    return RaggedColumn(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


def _flat(feature: Any, parts: Sequence[np.ndarray]) -> np.ndarray:
    values = np.concatenate(parts)
    if hasattr(feature, "names"):  # A class label.
        return np.array(feature.names, dtype=object)[values]
    if values.dtype == object:
        # One `str` for each distinct value: 25 million ratings have 160,000 users.
        decoded = {raw: raw.decode() for raw in set(values.tolist())}
        return np.array([decoded[raw] for raw in values.tolist()], dtype=object)
    return values.astype(feature.get_tensor_info().np_dtype)
