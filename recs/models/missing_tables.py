"""Tables for ids that nobody gave one."""

from __future__ import annotations

from collections.abc import Sequence

from recs.data.ranking import RankingFeatures
from recs.layers.table_config import TableConfig


def missing_tables(
    features: RankingFeatures, tables: Sequence[TableConfig], dim: int, seed: int | None
) -> list[TableConfig]:
    """Returns tables for the ids that are of none of the given ones.

    Args:
        features: The description of the features.
        tables: The given tables.
        dim: The width of the new ones.
        seed: Of their initial rows; a table's own follows from it.
    """
    names = {table.name for table in tables}
    made: dict[str, TableConfig] = {}
    for feature in (*features.context, *features.examples):
        name = feature.table or feature.name
        if feature.kind == "dense" or name in names or name in made:
            continue
        own = None if seed is None else seed + 1009 * len(made)
        made[name] = TableConfig(name, dim, key_dtype=str(feature.dtype), seed=own)
    return list(made.values())
