"""Finds rows and ids in a loaded SavedModel of Keras 2."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from recs.warm_start.table_info import TableInfo
from recs.warm_start.tensors import Entry

NOT_LAYERS = {"keras_api", "signatures", "optimizer"}


def entries_of(model: Any) -> list[Entry]:
    """Returns the embeddings and vocabularies among the layers of a loaded SavedModel.

    Its variables are stored under numbers, and vocabularies in its graph or assets; the layers that
    own both are found from the root.
    """
    entries = []
    for name, layer in _layers(model):
        children = tf.train.TrackableView.children(layer)
        weights, table = children.get("embeddings"), children.get("lookup_table")
        if isinstance(weights, tf.Variable) and weights.shape.rank == 2:
            numbers = weights.dtype.name
            info = TableInfo(name or "embeddings", "embedding", None, numbers, *weights.shape)
            entries.append(Entry(info, partial(_read_matrix, weights)))
        if hasattr(table, "resource_handle") and (kind := _key_dtype(table)) is not None:
            count = int(tf.raw_ops.LookupTableSizeV2(table_handle=table.resource_handle))
            info = TableInfo(name or "lookup_table", "vocabulary", kind.name, None, count, None)
            entries.append(Entry(info, partial(_read_vocabulary, table, kind)))
    return entries


def _layers(root: Any) -> Iterator[tuple[str, Any]]:
    """Gives all objects with their paths, the nearest first and each once."""
    waiting, seen = deque([("", root)]), {id(root)}
    while waiting:
        path, layer = waiting.popleft()
        yield path, layer
        for name, child in tf.train.TrackableView.children(layer).items():
            leaf = isinstance(child, tf.Variable) or name in NOT_LAYERS
            if id(child) not in seen and not leaf:
                seen.add(id(child))
                waiting.append((f"{path}/{name}" if path else name, child))


def _key_dtype(table: Any) -> tf.DType | None:
    """Returns the type of a vocabulary's ids; None for a table from ids to something else."""
    # Nothing that is loaded says so, and to export a table as of another type ends the process. A
    # look-up of nothing is refused instead.
    for kind in (tf.string, tf.int64):
        try:
            tf.raw_ops.LookupTableFindV2(
                table_handle=table.resource_handle,
                keys=tf.constant([], kind),
                default_value=tf.constant(0, tf.int64),
            )
        except tf.errors.InvalidArgumentError:
            continue
        return kind
    return None


def _read_matrix(weights: tf.Variable) -> tuple[None, np.ndarray]:
    return None, weights.numpy()


def _read_vocabulary(table: Any, kind: tf.DType) -> tuple[np.ndarray, np.ndarray]:
    ids, numbers = tf.raw_ops.LookupTableExportV2(
        table_handle=table.resource_handle, Tkeys=kind, Tvalues=tf.int64
    )
    return ids.numpy(), numbers.numpy()
