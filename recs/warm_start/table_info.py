"""Describes a table of a checkpoint."""

from __future__ import annotations

from typing import NamedTuple


class TableInfo(NamedTuple):
    """Something in a checkpoint or a SavedModel that has rows or ids.

    Attributes:
        name: What `from_checkpoint` and `from_tfra_files` call it.
        kind: `"table"`, ids with their rows; `"embedding"`, rows whose ids are in a vocabulary;
            `"vocabulary"`, ids and which row each has; `"files"`, a table in TFRA's own files,
            which do not say what is in them.
        key_dtype: The type of the ids, `"int64"`, `"int32"` or `"string"`, or None.
        dtype: The type of the numbers of a row, such as `"float32"`, or None.
        rows: How many rows or ids there are, or None.
        dim: Length of a row, or None.

    Example:
    ```python
    >>> ids = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, [0.0, 0.0])
    >>> ids.insert(tf.constant([7], tf.int64), [[1.0, 2.0]])
    >>> path = tf.train.Checkpoint(users=ids).save("checkpoint")
    >>> recs.warm_start.tables_in(path)
    [TableInfo(name='users', kind='table', key_dtype='int64', dtype='float32', rows=1, dim=2)]

    ```
    """

    name: str
    kind: str
    key_dtype: str | None
    dtype: str | None
    rows: int | None
    dim: int | None
