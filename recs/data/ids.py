"""Ids as users bring them: strings kept exactly, or int64 where every string is a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from recs.errors import explain

IdType = Literal["string", "int64"]


def check_id_type(id_type: str, where: str) -> None:
    """Raises a ValueError unless `id_type` is one of the two that exist."""
    if id_type not in ("string", "int64"):
        raise ValueError(
            explain(
                "`id_type`",
                rule='must be "string" or "int64"',
                received=f"id_type={id_type!r}",
                where=where,
            )
        )


def as_id_type(ids: np.ndarray, id_type: str, *, name: str, where: str) -> np.ndarray:
    """Returns `ids` (integers or strings) as an object array of `str`, or as int64.

    A string becomes an integer only if the integer, written out, is that string again: "007" and
    "7" are two ids, and must not become one.

    Raises:
        ValueError: when a string is not such an integer, or does not fit int64.
    """
    if id_type == "string":
        if ids.dtype == object:
            return ids
        distinct, inverse = np.unique(ids, return_inverse=True)
        return np.array([str(i) for i in distinct.tolist()], dtype=object)[inverse]
    if ids.dtype != object:
        if ids.dtype == np.uint64 and (ids >= 2**63).any():
            raise ValueError(
                explain(
                    f"Column {name!r}",
                    rule="must hold integers that fit int64 for `id_type='int64'`",
                    received=str(ids.max()),
                    where=where,
                    remedy="Use `id_type='string'`, which keeps ids as they are.",
                )
            )
        return ids.astype(np.int64)
    numbers: dict[str, int] = {}
    for text in set(ids.tolist()):
        number = _exact_int64(text)
        if number is None:
            raise ValueError(
                explain(
                    f"Column {name!r}",
                    rule="must hold whole numbers of 64 bits for `id_type='int64'`, written "
                    "without leading zeros, signs or spaces",
                    received=f"{text!r} in row {int(np.flatnonzero(ids == text)[0])}",
                    where=where,
                    remedy="Use `id_type='string'`, which keeps ids as they are.",
                )
            )
        numbers[text] = number
    return np.fromiter((numbers[text] for text in ids.tolist()), np.int64, len(ids))


def codes(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns for each id its rank among the distinct ids, and the distinct ids, sorted.

    As `np.unique(ids, return_inverse=True)`, which would compare millions of Python strings:
    here only the distinct ones are sorted.

    Shapes: `ids (n,)` -> `(n,)` int64, `(distinct,)`.
    """
    if ids.dtype != object:
        distinct, inverse = np.unique(ids, return_inverse=True)
        return inverse.astype(np.int64), distinct
    listed = ids.tolist()
    ordered = sorted(set(listed))
    rank = {text: code for code, text in enumerate(ordered)}
    inverse = np.fromiter((rank[text] for text in listed), np.int64, len(listed))
    return inverse, np.array(ordered, dtype=object)


def some_rows(rows: np.ndarray | Sequence[int]) -> str:
    """Returns row numbers for a message: the first five, and how many there are."""
    shown = ", ".join(str(int(row)) for row in rows[:5])
    more = f", ... ({len(rows):,} rows)" if len(rows) > 5 else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more}"


def _exact_int64(text: str) -> int | None:
    try:
        number = int(text)
    except ValueError:
        return None
    fits = -(2**63) <= number < 2**63
    return number if fits and str(number) == text else None
