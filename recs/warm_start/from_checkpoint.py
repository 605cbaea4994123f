"""Rows from the checkpoints and SavedModels of other libraries."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from recs.warm_start.contents import Contents, contents_of, not_one, one_of
from recs.warm_start.from_keras import paired
from recs.warm_start.rows import Rows
from recs.warm_start.tensors import Entry
from recs.warm_start.wrong import wrong


def from_checkpoint(
    path: str | os.PathLike[str],
    name: str | None = None,
    vocabulary: Any = None,
    first_row: int | None = None,
) -> Rows:
    """Returns the rows of a table of TFRA, or of an embedding of TFRS or Keras.

    TensorFlow alone reads them; neither library is needed. A table of TFRA lies in a checkpoint, or
    in a SavedModel, as tensors of its ids and of its rows, its optimizer's slots as further tables.
    An embedding is a matrix, and its ids are in the vocabulary of the
    `StringLookup` or `IntegerLookup` layer in front of it: a SavedModel has that too, a checkpoint
    as a rule has not. Rows for padding and for ids out of vocabulary are left out.

    What is read is in memory at once. A SavedModel is loaded, which may run code that is in it: do
    so with models that you trust.

    Args:
        path: A checkpoint, by its prefix, or the folder of several, of which the latest is read;
            or the folder of a SavedModel.
        name: The table or embedding, as `tables_in` calls it. Defaults to `None`: the only one.
        vocabulary: Of an embedding, the name of the vocabulary in the same SavedModel or
            checkpoint, or what `from_keras` takes. Defaults to `None`: the one that lies beside it,
            in the same `Sequential` or model.
        first_row: As for `from_keras`, where the vocabulary is ids alone.

    Raises:
        FileNotFoundError: there is no checkpoint or SavedModel.
        ValueError: there is not exactly one table or vocabulary that is meant (the message lists
            what is there), a table lacks shards, or a row is not finite.

    Example:
    ```python
    >>> table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, [0.0, 0.0])
    >>> table.insert(tf.constant([7, 8], tf.int64), [[1.0, 2.0], [3.0, 4.0]])
    >>> path = tf.train.Checkpoint(users=table).save("checkpoint")
    >>> layer = recs.layers.DynamicEmbedding(2)
    >>> recs.warm_start.from_checkpoint(path, "users").into(layer)
    Filled(new=2, known=0, evicted=0)

    ```
    """
    where = os.fspath(path)
    found = contents_of(path)
    entry = _chosen(found, name, where)
    where = f"'{entry.info.name}' of {where}"
    ids, rows = entry.read()
    if entry.info.kind == "embedding":
        return _named(rows, _vocabulary(found, entry, vocabulary, where), first_row, where)
    if vocabulary is not None or first_row is not None:
        received = f"vocabulary={vocabulary!r}, first_row={first_row!r}"
        raise wrong("`vocabulary`", "is for embeddings; a table has its own ids", received, where)
    return Rows(ids, rows, where)


def _chosen(found: Contents, name: str | None, where: str) -> Entry:
    """Returns the table or embedding that is meant."""
    entries = [entry for entry in found.entries if entry.info.kind != "vocabulary"]
    infos = [entry.info for entry in entries]
    return entries[one_of(infos, name, where=where, note=found.note)]


def _vocabulary(found: Contents, embedding: Entry, given: Any, where: str) -> Any:
    """Returns the vocabulary that is meant: an entry, or what the user gave."""
    entries = {entry.info.name: entry for entry in found.entries if entry.info.kind == "vocabulary"}
    if isinstance(given, str) and given in entries:
        return entries[given]
    if given is not None:
        return given
    folder = embedding.info.name.rpartition("/")[0]
    beside = [name for name in entries if name.rpartition("/")[0] == folder]
    if len(beside) == 1:
        return entries[beside[0]]
    remedy = "Give the ids themselves: the lookup layer, a list or a file, as for `from_keras`."
    listed = [entry.info for entry in entries.values()]
    received = f"{len(beside)} beside the embedding"
    raise not_one("vocabulary", listed, received, where, f"{found.note} {remedy}".strip())


def _named(matrix: np.ndarray, vocabulary: Any, first_row: int | None, where: str) -> Rows:
    """Returns the rows by the ids of a vocabulary."""
    if not isinstance(vocabulary, Entry):
        return paired(matrix, vocabulary, first_row, where=where)
    ids, places = vocabulary.read()
    if len(places) and not 0 <= places.min() <= places.max() < len(matrix):
        raise wrong(
            "The vocabulary",
            f"must have its ids among the {len(matrix)} rows",
            f"'{vocabulary.info.name}' with rows up to {places.max()}",
            where,
            "Name the vocabulary that belongs to the embedding.",
        )
    return Rows(ids, matrix[places], where)
