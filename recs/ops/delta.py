"""Changes of a table, as arrays."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from recs.ops.cursor import Cursor


@dataclasses.dataclass(frozen=True)
class Delta:
    """The rows of a table that changed since a cursor, and the ids that are gone.

    Attributes:
        keys: `(n,)` ids that are new or of which anything changed, rows or counts; int64, or
            `bytes` objects.
        rows: `(n, dim)` float32, their rows; of a table of records what its `recent` gives.
        deleted: `(m,)` ids that were there after the cursor's moment or before and are not now. One
            that came and went between may be among them.
        cursor: For the next delta.
    """

    keys: np.ndarray
    rows: Any
    deleted: np.ndarray
    cursor: Cursor
