"""Lists the tables of a checkpoint."""

from __future__ import annotations

import os
import pathlib

from recs.warm_start.contents import contents_of
from recs.warm_start.from_tfra_files import files_in
from recs.warm_start.table_info import TableInfo


def tables_in(path: str | os.PathLike[str]) -> list[TableInfo]:
    """Returns the tables, embeddings and vocabularies in a checkpoint, SavedModel or TFRA's files.

    Args:
        path: What `from_checkpoint` or `from_tfra_files` takes.

    Raises:
        FileNotFoundError: it is none of these.
        ValueError: it cannot be read.

    Example:
    ```python
    >>> ids = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, [0.0] * 8)
    >>> ids.insert(["a", "b"], tf.ones((2, 8)))
    >>> path = tf.train.Checkpoint(users=ids).save("checkpoint")
    >>> [(info.name, info.kind, info.rows, info.dim) for info in recs.warm_start.tables_in(path)]
    [('users', 'table', 2, 8)]

    ```
    """
    files = files_in(pathlib.Path(path))
    listed = [TableInfo(name, "files", None, None, None, None) for name in files]
    try:
        return [entry.info for entry in contents_of(path).entries] + listed
    except FileNotFoundError:
        if listed:
            return listed
        raise
