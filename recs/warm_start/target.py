"""Resolves the destination table and writes rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from recs.layers import DynamicEmbedding, EmbeddingCollection
from recs.ops.table import Table
from recs.warm_start.filled import Filled
from recs.warm_start.ids import type_of
from recs.warm_start.wrong import wrong


def table_of(target: Any, *, where: str) -> Table:
    """Returns the table that is meant.

    Raises:
        ValueError: it is not a table of embeddings, nor a layer with one; a collection may have
            several, and the message names them.
    """
    if isinstance(target, DynamicEmbedding):
        return target.table
    if isinstance(target, Table):
        return target
    remedy = ""
    if isinstance(target, EmbeddingCollection):
        names = ", ".join(repr(config.name) for config in target.table_configs)
        remedy = f"Choose a table, `collection.table(name)`, of {names}."
    rule = "must be a DynamicEmbedding, its `table`, or a table of an EmbeddingCollection"
    raise wrong("The table", rule, type(target).__name__, where, remedy)


def check_dim(dim: int, table: Table, *, where: str) -> None:
    """Raises a ValueError unless rows of this length fit."""
    if dim != table.dim:
        raise wrong(
            "`rows`",
            f"must have the length of the table's, {table.dim}",
            f"rows of {dim} numbers",
            f"{where} into table '{table.name}'",
            f"Make the layer with `output_dim={dim}`, or project the rows and use `from_numpy`.",
        )


def fill(
    table: Table,
    parts: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    only_new: bool,
    where: str,
) -> Filled:
    """Sets rows, a part at a time; see `Rows.into`."""
    where = f"{where} into table '{table.name}'"
    before, given = table.stats(), 0
    for ids, rows in parts:
        _check_type(ids, table, where)
        given += len(ids)
        if only_new:
            unknown = ~table.contains(ids)
            ids, rows = ids[unknown], rows[unknown]
        if len(ids):
            table.upsert(ids, rows)
    after = table.stats()
    new = after["insertions"] - before["insertions"]
    return Filled(new, given - new, after["evictions"] - before["evictions"])


def _check_type(ids: np.ndarray, table: Table, where: str) -> None:
    wanted = table.key_dtype.name
    if len(ids) and type_of(ids) != wanted:
        kinds = "strings" if wanted == "string" else "integers"
        raise wrong(
            "`ids`",
            f"must be {kinds}, as the table's `key_dtype` {wanted} says",
            f"{type_of(ids)} ids, such as {ids.tolist()[0]!r}",
            where,
            f"Give `id_type={wanted!r}` where their decimal digits are meant.",
        )
