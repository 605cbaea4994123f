"""Columns as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recs.errors import explain


def data_frame(columns: Mapping[str, Any], where: str) -> Any:
    """Returns a `pandas.DataFrame` of columns; those of lists hold a list in each row.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            explain(
                "`to_pandas`",
                rule="needs pandas",
                received="a Python without it",
                where=where,
                remedy="Install it: `pip install 'recs[pandas]'`.",
            )
        ) from error
    series = {}
    for name, column in columns.items():
        if isinstance(column, np.ndarray):
            # A copy: columns of recs are read-only, and a DataFrame's are not.
            kind = object if column.dtype == object else None
            series[name] = pd.Series(column.copy(), dtype=kind)
        else:
            series[name] = pd.Series(list(column), dtype=object)
    return pd.DataFrame(series)
