"""From an Arrow table and the names of its columns to `Interactions`: CSV and Parquet alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recs.data.arrow import id_column, number_column, other_column, pick, time_column
from recs.data.columns import Column
from recs.data.ids import IdType, codes, some_rows
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
    nulls: Any,
    duplicates: str,
    where: str,
) -> Interactions:
    """Returns the interactions in a `pyarrow.Table`; arguments as in `read_csv`.

    Raises:
        ValueError: when a column is missing, an id is null, or a number is none.
    """
    check_duplicates(duplicates, ("keep", "drop", "error"), where)
    table = pick(table, roles, columns, where)
    table = without_nulls(table, list(roles.values()), nulls, where)
    plays = {name: role for role, name in roles.items()}
    read: dict[str, Column] = {}
    for name in table.column_names:
        role = plays.get(name)
        if role in ("user", "item"):
            read[name] = id_column(table, name, id_type, where)
        elif role == "timestamp":
            read[name] = time_column(table, name, where)
        elif role is not None:
            read[name] = number_column(table, name, where)
        else:
            read[name] = other_column(table, name, where)
    if items is not None:
        items = items.with_id_type(id_type)
    found = Interactions(read, roles, items)
    if duplicates == "keep":
        return found
    first = first_rows(found.user, found.item, found.timestamp)
    if duplicates == "error" and len(first) < len(found):
        again = np.setdiff1d(np.arange(len(found)), first)
        raise ValueError(
            explain(
                "Each user, item and time",
                rule="must occur once",
                received=f"again in {some_rows(again)}",
                where=where,
                remedy='`duplicates="drop"` leaves later rows out, `"keep"` keeps them.',
            )
        )
    return found.take(first)


def check_duplicates(duplicates: str, ways: Sequence[str], where: str) -> None:
    """Raises a ValueError unless `duplicates` is one of these."""
    if duplicates not in ways:
        raise ValueError(
            explain(
                "`duplicates`",
                rule=f"must be {' or '.join(map(repr, ways))}",
                received=f"duplicates={duplicates!r}",
                where=where,
            )
        )


def without_nulls(table: Any, needed: Sequence[str], nulls: Any, where: str) -> Any:
    """Returns a `pyarrow.Table` whose columns `needed` have nulls dropped, filled, or left alone.

    Raises:
        ValueError: when a value does not fit a column, or names none.
    """
    if isinstance(nulls, str) and nulls == "error":
        return table
    if isinstance(nulls, str) and nulls == "drop":
        kept = np.ones(table.num_rows, bool)
        for name in needed:
            kept &= ~table.column(name).is_null().to_numpy()
        return table.filter(kept)
    values = nulls if isinstance(nulls, Mapping) else dict.fromkeys(needed, nulls)
    for name, value in values.items():
        if name not in table.column_names:
            raise _misfit(name, value, f"one of {', '.join(table.column_names)}", where)
        place, column = table.column_names.index(name), table.column(name)
        if column.null_count:
            table = table.set_column(place, name, _filled(column, name, value, where))
    return table


def _filled(column: Any, name: str, value: Any, where: str) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return column.fill_null(pa.scalar(value).cast(column.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise _misfit(name, value, f"a value of type {column.type}", where) from error


def _misfit(name: str, value: Any, rule: str, where: str) -> ValueError:
    return ValueError(
        explain(
            "`nulls`",
            rule=f'must be "error", "drop", or for a column {rule}',
            received=f"{value!r} for {name!r}",
            where=where,
            remedy="Give a dict from columns to values.",
        )
    )


def first_rows(*columns: np.ndarray | None) -> np.ndarray:
    """Returns the first row of each distinct combination, in order."""
    keys = [codes(column)[0] for column in columns if column is not None]
    _, first = np.unique(np.stack(keys, axis=1), axis=0, return_index=True)
    return np.sort(first)
