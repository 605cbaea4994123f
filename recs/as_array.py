"""Values that users give as lists, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_array(values: Any) -> np.ndarray:
    """Returns values as NumPy has them, but for text beside other things.

    Of `["a", 1]` and `["a", nan]` NumPy makes text, an id "1" and a category "nan". Here they stay
    an array of objects, which whoever reads it can refuse.

    Args:
        values: An array, or a list of numbers, strings or both.
    """
    if isinstance(values, np.ndarray):
        return values
    array = np.asarray(values)
    if array.dtype.kind in "US" and not is_text(objects := np.asarray(values, object)):
        return objects
    return array


def is_text(objects: np.ndarray) -> bool:
    """Returns whether an array of objects holds nothing but `str` and `bytes`."""
    return all(issubclass(kind, str | bytes) for kind in set(map(type, objects.ravel().tolist())))
