"""The rows of a Keras embedding, whose ids are in a vocabulary beside it."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import numpy as np

from recs.errors import explain
from recs.warm_start.ids import as_ids
from recs.warm_start.rows import Rows
from recs.warm_start.wrong import wrong


def from_keras(embedding: Any, vocabulary: Any, first_row: int | None = None) -> Rows:
    """Returns the rows of an embedding layer, by the ids of its vocabulary.

    Rows that stand for padding and for ids out of vocabulary belong to no id, and are left out: a
    table needs neither, since it masks by `mask_key` and has `default_value` and `cold_ids`.

    Args:
        embedding: A `keras.layers.Embedding`, built; or its matrix, `(input_dim, output_dim)`.
        vocabulary: The `StringLookup` or `IntegerLookup` layer in front of it, which knows what the
            rows mean. Or the ids alone, in the order of the rows: a list, an array, or the path of
            a text file with an id in each line (these are strings, see `id_type` of `into`).
        first_row: For ids alone, the row of the first of them: 1 behind
            `StringLookup(mask_token=None)`, 2 behind one that also masks. Defaults to `None`: 0,
            and the embedding must have a row for each id and no other.

    Raises:
        ValueError: the numbers of ids and rows do not fit, the layer is not built or has no such
            matrix, or ids alone begin with `"[UNK]"`, which is no id.
        FileNotFoundError: there is no such file.

    Example:
    ```python
    >>> lookup = keras.layers.StringLookup(vocabulary=["a", "b"])
    >>> embedding = keras.layers.Embedding(lookup.vocabulary_size(), 4)
    >>> embedding.build()
    >>> layer = recs.layers.DynamicEmbedding(4, key_dtype="string")
    >>> recs.warm_start.from_keras(embedding, lookup).into(layer)
    Filled(new=2, known=0, evicted=0)
    >>> np.array_equal(layer(["b", "a"]), embedding(lookup(np.array(["b", "a"]))))
    True

    ```
    """
    name = getattr(embedding, "name", None)
    where = "from_keras" if name is None else f"Embedding '{name}'"
    matrix = embedding if name is None else getattr(embedding, "embeddings", None)
    if matrix is None:
        raise wrong(
            "`embedding`",
            "must be an embedding layer that is built, or its matrix",
            f"{type(embedding).__name__} without `embeddings`",
            where,
            "Call the layer once before.",
        )
    return paired(np.asarray(matrix), vocabulary, first_row, where=where)


def paired(matrix: np.ndarray, vocabulary: Any, first_row: int | None, *, where: str) -> Rows:
    """Returns the rows of a matrix by the ids of a vocabulary, as `from_keras` has it."""
    if hasattr(vocabulary, "get_vocabulary"):
        if first_row is not None:
            raise wrong(
                "`first_row`", "is for ids alone; the layer knows it", f"{first_row}", where
            )
        ids = vocabulary.get_vocabulary(include_special_tokens=False)
        encoding = getattr(vocabulary, "encoding", None) or "utf-8"
        ids = [i.encode(encoding) if isinstance(i, str) else i for i in ids]
        begin = len(vocabulary.get_vocabulary()) - len(ids)
        fits = begin + len(ids) <= len(matrix)
    else:
        ids, begin = _ids_alone(vocabulary, where), first_row or 0
        fits = len(matrix) == len(ids) if first_row is None else begin + len(ids) <= len(matrix)
    if begin < 0 or not fits:
        raise wrong(
            "The vocabulary",
            "must have an id for each row",
            f"{len(ids)} ids from row {begin}, and {len(matrix)} rows",
            where,
            "Give the lookup layer itself, or say by `first_row` which row the first id has: an "
            "embedding has further rows for padding and for ids out of vocabulary.",
        )
    return Rows(ids, matrix[begin : begin + len(ids)], where)


def _ids_alone(vocabulary: Any, where: str) -> np.ndarray:
    if isinstance(vocabulary, str | os.PathLike):
        path = pathlib.Path(vocabulary)
        if not path.is_file():
            raise FileNotFoundError(
                explain(
                    "`vocabulary`",
                    rule="must be a file that exists, with an id in each line",
                    received=os.fspath(path),
                    where=where,
                    remedy=f"The working directory is {pathlib.Path.cwd()}.",
                )
            )
        lines = path.read_bytes().split(b"\n")
        ids = as_ids(lines[:-1] if lines[-1] == b"" else lines, where=where)
    else:
        ids = as_ids(vocabulary, where=where)
    if b"[UNK]" in ids[:2].tolist():
        raise wrong(
            "The vocabulary",
            "must be ids alone, and no tokens for padding and for ids out of vocabulary",
            f"{ids[0]!r} first",
            where,
            "Give the lookup layer itself, or `get_vocabulary(include_special_tokens=False)` and "
            "`first_row`.",
        )
    return ids
