"""Dates and times as whole seconds since 1970 in UTC, like Unix time: fractions are dropped."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from recs.data.ids import some_rows
from recs.errors import explain


def of_datetime64(name: str, values: np.ndarray, where: str) -> np.ndarray:
    """Returns the seconds of `datetime64`s, which have no zone and are taken as UTC.

    Raises:
        ValueError: when a time is missing (NaT).
    """
    missing = np.flatnonzero(np.isnat(values))
    if len(missing):
        raise _bad(name, "must hold a time in every row", f"NaT in {some_rows(missing)}", where)
    return np.floor_divide(values.astype("datetime64[us]").astype(np.int64), 1_000_000)


def of_objects(name: str, values: np.ndarray, where: str) -> np.ndarray:
    """Returns the seconds of ISO 8601 texts, `datetime`s or `date`s; without a zone they are UTC.

    Raises:
        ValueError: when an entry is none of these.
    """
    seconds: dict[Any, int] = {}
    for value in set(values.tolist()):
        try:
            seconds[value] = _seconds(value)
        except (TypeError, ValueError):
            rows = np.flatnonzero([entry is value or entry == value for entry in values.tolist()])
            raise _bad(
                name,
                "must hold whole numbers, dates or times as ISO 8601 has them",
                f"{value!r} in {some_rows(rows)}",
                where,
            ) from None
    return np.fromiter((seconds[value] for value in values.tolist()), np.int64, len(values))


def are_times(values: np.ndarray) -> bool:
    """Returns whether an array of objects holds dates and times alone."""
    kinds = set(map(type, values.tolist()))
    return bool(kinds) and all(issubclass(kind, datetime.date) for kind in kinds)


def _seconds(value: Any) -> int:
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.strip())
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    since = value - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return since // datetime.timedelta(seconds=1)


def _bad(name: str, rule: str, received: str, where: str) -> ValueError:
    return ValueError(
        explain(
            f"Column {name!r}",
            rule=rule,
            received=received,
            where=where,
            remedy="Write 2024-05-31T12:00:00+02:00; without a zone it is UTC.",
        )
    )
