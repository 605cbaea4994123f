"""From an Arrow table and the names of its columns to `Interactions`: CSV and Parquet alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recs.data.arrow import id_column, number_column, other_column, pick
from recs.data.columns import Column
from recs.data.ids import IdType
from recs.data.interactions import Interactions
from recs.data.items import Items
from recs.errors import explain


def named(roles: Mapping[str, str | None], where: str) -> dict[str, str]:
    """Returns the roles that have a column.

    Raises:
        ValueError: when a column is given two roles.
    """
    given = {role: name for role, name in roles.items() if name is not None}
    if len(set(given.values())) < len(given):
        raise ValueError(
            explain(
                " and ".join(f"`{role}`" for role in given),
                rule="must be different columns",
                received=", ".join(f"{role}={name!r}" for role, name in given.items()),
                where=where,
            )
        )
    return given


def interactions(
    table: Any,
    roles: Mapping[str, str],
    *,
    items: Items | None,
    columns: Sequence[str] | None,
    id_type: IdType,
    where: str,
) -> Interactions:
    """Returns the interactions in a `pyarrow.Table`; arguments as in `read_csv`.

    Raises:
        ValueError: when a column is missing, an id is null, or a number is none.
    """
    table = pick(table, roles, columns, where)
    plays = {name: role for role, name in roles.items()}
    read: dict[str, Column] = {}
    for name in table.column_names:
        role = plays.get(name)
        if role in ("user", "item"):
            read[name] = id_column(table, name, id_type, where)
        elif role is not None:
            read[name] = number_column(table, name, where)
        else:
            read[name] = other_column(table, name, where)
    if items is not None:
        items = items.with_id_type(id_type)
    return Interactions(read, roles, items)
