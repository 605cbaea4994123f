"""Finds rows and ids among the tensors of a TensorFlow checkpoint."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from recs.warm_start.table_info import TableInfo
from recs.warm_start.wrong import wrong

OF_AN_OBJECT = "/.ATTRIBUTES/table"  # behind the path of the object in an object-based checkpoint
OF_A_VARIABLE = "/.ATTRIBUTES/VARIABLE_VALUE"
WEIGHTS = ("embeddings", "_embeddings")  # of an embedding layer, in Keras 2 and 3
# A shard, counted from 1 in names and from 0 in lists: `users_mht_1of2`, `.../tables_of_users/0`.
SHARD = re.compile(r"(?P<name>.+)_mht_(?P<place>\d+)of(?P<of>\d+)|(?P<list>.+/tables_of_[^/]+)/\d+")


class Entry(NamedTuple):
    """A table, embedding or vocabulary, and how to read it.

    Attributes:
        info: What the user is told of it.
        read: Gives ids and rows, ids and row numbers, or None and rows.
    """

    info: TableInfo
    read: Callable[[], tuple[Any, np.ndarray]]


def entries_of(reader: Any, where: str) -> list[Entry]:
    """Returns what `tf.train.load_checkpoint`'s reader has of tables.

    A table is a pair of tensors, `<name>-keys` and `<name>-values`: rows of floats for one of TFRA,
    and row numbers for a vocabulary of Keras. An embedding's weights are a matrix that is called
    so.
    """
    shapes = reader.get_variable_to_shape_map()
    tables: dict[str, list[str]] = {}
    entries = []
    for tensor in sorted(shapes, key=_by_number):
        stem, ending = tensor.removesuffix("-keys"), tensor.removesuffix(OF_A_VARIABLE)
        if stem != tensor and f"{stem}-values" in shapes:
            tables.setdefault(_without_shard(stem), []).append(stem)
        elif ending.rpartition("/")[2] in WEIGHTS and len(shapes[tensor]) == 2:
            kind = reader.get_variable_to_dtype_map()[tensor].name
            info = TableInfo(owner_of(ending), "embedding", None, kind, *shapes[tensor])
            entries.append(Entry(info, partial(_read_matrix, reader, tensor)))
    for name, stems in tables.items():
        entries += _table(reader, name, stems, where)
    return entries


def owner_of(path: str) -> str:
    """Returns the path of the layer whose attribute this is."""
    return path.rpartition("/")[0] or path


def _table(reader: Any, name: str, stems: list[str], where: str) -> list[Entry]:
    """Returns a table of so many shards; none for what only has the form of one."""
    shapes, kinds = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    keys, values = kinds[f"{stems[0]}-keys"], kinds[f"{stems[0]}-values"]
    shape = shapes[f"{stems[0]}-values"]
    is_vocabulary = values == tf.int64 and len(shape) == 1
    # Of what a layer has seen while it adapts Keras keeps counts, which are no row numbers.
    if name.endswith("/token_counts") or not (values.is_floating or is_vocabulary):
        return []
    rows = sum(shapes[f"{stem}-keys"][0] for stem in stems)
    kind, dim = "vocabulary" if is_vocabulary else "table", None if is_vocabulary else 1
    dim = shape[1] if len(shape) == 2 else dim
    numbers = None if is_vocabulary else values.name
    name = owner_of(name) if is_vocabulary and "/" in name else name
    info = TableInfo(name, kind, keys.name, numbers, rows, dim)
    return [Entry(info, partial(_read_table, reader, stems, where))]


def _read_matrix(reader: Any, tensor: str) -> tuple[None, np.ndarray]:
    return None, reader.get_tensor(tensor)


def _read_table(reader: Any, stems: list[str], where: str) -> tuple[np.ndarray, np.ndarray]:
    check_shards([shard_of(stem) for stem in stems], where=where)
    keys = [reader.get_tensor(f"{stem}-keys") for stem in stems]
    values = [reader.get_tensor(f"{stem}-values") for stem in stems]
    values = [v[:, None] if v.ndim == 1 and v.dtype.kind != "i" else v for v in values]
    return np.concatenate(keys), np.concatenate(values)


def shard_of(stem: str) -> tuple[int, int] | None:
    """Returns which shard this is, counted from 1, of how many; None where the name has neither."""
    match = SHARD.fullmatch(stem)
    return (int(match["place"]), int(match["of"])) if match and match["of"] else None


def check_shards(found: list[tuple[int, int] | None], *, where: str) -> None:
    """Raises a ValueError unless all shards of one table are there, once, and no others."""
    shards = [shard for shard in found if shard is not None]
    if shards and sorted(shards) != [(place + 1, len(shards)) for place in range(len(shards))]:
        raise wrong(
            "The shards of a table",
            "must all be there, of one way of sharding",
            ", ".join(f"{place} of {of}" for place, of in shards),
            where,
            "Choose a checkpoint that was completed, in a folder of its own.",
        )


def _without_shard(stem: str) -> str:
    match = SHARD.fullmatch(stem.removesuffix(OF_AN_OBJECT))
    return (match["name"] or match["list"]) if match else stem.removesuffix(OF_AN_OBJECT)


def _by_number(name: str) -> list[Any]:
    """Orders `x/10` behind `x/9`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
