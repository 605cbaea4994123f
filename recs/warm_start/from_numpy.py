"""Rows from arrays."""

from __future__ import annotations

from typing import Any

from recs.warm_start.rows import Rows


def from_numpy(ids: Any, rows: Any) -> Rows:
    """Returns ids and rows that are arrays, or what NumPy makes arrays of.

    Args:
        ids: `(n,)`, integers or strings, each once.
        rows: `(n, dim)`, finite floats; float32 is not copied, and may be mapped from a file.

    Raises:
        ValueError: shapes or types do not fit, an id comes twice, or a row is not finite.

    Example:
    ```python
    >>> recs.warm_start.from_numpy(np.array([7, 8]), np.eye(2))
    Rows(2 int64 ids, dim 2, from arrays)

    ```
    """
    return Rows(ids, rows, "arrays")
