"""Ids from anywhere, as a table has them: int64, or byte strings; nothing is converted silently."""

from __future__ import annotations

from typing import Any

import numpy as np

from recs.warm_start.wrong import wrong

SHOWN = 5  # ids that a message shows


def as_ids(ids: Any, *, where: str) -> np.ndarray:
    """Returns ids as int64, or as an object array of `bytes`; text becomes UTF-8.

    Raises:
        ValueError: they are neither integers that fit int64 nor strings, or are not on one axis.
    """
    # From a list NumPy would make strings of [1, "a"], and floats of large integers.
    listed = isinstance(ids, list | tuple)
    array = np.fromiter(ids, object, len(ids)) if listed else np.asarray(ids)
    if array.ndim != 1:
        raise _bad(f"shape {array.shape}", where)
    if array.dtype.kind in "OUS":
        return _from_objects(array, where)
    if array.dtype.kind not in "iu":
        raise _bad(f"dtype {array.dtype}", where)
    if array.dtype == np.uint64 and len(array) and array.max() > np.iinfo(np.int64).max:
        raise _bad(f"the id {array.max()}", where)
    return array.astype(np.int64)


def with_id_type(ids: np.ndarray, id_type: str | None, *, where: str) -> np.ndarray:
    """Returns ids of `as_ids` as `"int64"`, `"string"` or (None) as they are.

    Integers are written out in decimal. A string becomes an integer only if that, written out, is
    the string again: "007" and "7" are two ids, and must not become one.

    Raises:
        ValueError: a string is no such integer, or there is no such type.
    """
    if id_type not in (None, "int64", "string"):
        raise wrong("`id_type`", "must be None, 'int64' or 'string'", repr(id_type), where)
    if id_type is None or id_type == type_of(ids):
        return ids
    if id_type == "string":
        return np.fromiter((str(i).encode() for i in ids.tolist()), object, len(ids))
    numbers = np.empty(len(ids), np.int64)
    for place, text in enumerate(ids):
        try:
            numbers[place] = int(text)
        except (ValueError, OverflowError):
            raise _no_integer(text, where) from None
        if b"%d" % numbers[place] != text:
            raise _no_integer(text, where)
    return numbers


def type_of(ids: np.ndarray) -> str:
    """Returns `"int64"` or `"string"`."""
    return "string" if ids.dtype == object else "int64"


def check_distinct(ids: np.ndarray, *, where: str) -> None:
    """Raises a ValueError if an id comes twice, for which of its rows would count?"""
    if type_of(ids) == "string":
        if len(set(ids)) == len(ids):
            return
        distinct, counts = np.unique(ids.astype(object), return_counts=True)
    else:
        distinct, counts = np.unique(ids, return_counts=True)
    twice = distinct[counts > 1]
    if len(twice):
        received = f"{len(twice)} ids more than once: {shown(twice)}"
        raise wrong("`ids`", "must differ", received, where, "Keep one row of each id.")


def shown(ids: Any) -> str:
    """Returns the first ids, for a message."""
    first = ", ".join(repr(i) for i in np.asarray(ids)[:SHOWN].tolist())
    return first + (", ..." if len(ids) > SHOWN else "")


def _from_objects(array: np.ndarray, where: str) -> np.ndarray:
    kinds = {type(i) for i in array.tolist()} if array.dtype == object else {str}
    if all(issubclass(kind, str | bytes) for kind in kinds):
        # Bytes that are no UTF-8 come back from `str` as `os.fsdecode` and `to_pandas` made it.
        encoded = (
            bytes(i) if isinstance(i, bytes) else i.encode("utf-8", "surrogateescape")
            for i in array.tolist()
        )  # fmt: skip
        return np.fromiter(encoded, object, len(array))
    if bool in kinds or not all(issubclass(kind, int | np.integer) for kind in kinds):
        raise _bad(" and ".join(sorted(kind.__name__ for kind in kinds)), where)
    try:
        return np.fromiter(array, np.int64, len(array))
    except OverflowError:
        raise _bad(f"the ids {min(array)} to {max(array)}", where) from None


def _bad(received: str, where: str) -> ValueError:
    return wrong(
        "`ids`", "must be integers that fit int64, or strings, on one axis", received, where
    )


def _no_integer(text: bytes, where: str) -> ValueError:
    return wrong(
        "`ids`",
        "must be whole numbers of 64 bits for `id_type='int64'`, written without leading zeros, "
        "signs or spaces",
        repr(text),
        where,
        "Give the layer `key_dtype='string'`, which keeps ids as they are.",
    )
