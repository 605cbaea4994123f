"""Converts the lists that users give to arrays."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_array(values: Any) -> np.ndarray:
    """Returns values as NumPy does, but lists with text as arrays of objects.

    NumPy would turn `["a", 1]` and `["a", nan]` into text, with the id "1" and the category "nan",
    and would drop zero bytes at the end of text. An array of objects keeps each value as it is;
    `is_text` tells whether all of them are text.

    Args:
        values: An array, or a list of numbers, strings or both.
    """
    if isinstance(values, np.ndarray):
        return values
    array = np.asarray(values)
    return np.asarray(values, object) if array.dtype.kind in "US" else array


def is_text(objects: np.ndarray) -> bool:
    """Returns whether an array of objects holds nothing but `str` and `bytes`."""
    return all(issubclass(kind, str | bytes) for kind in set(map(type, objects.ravel().tolist())))
