"""Rows to predict something of, without users and items."""

from __future__ import annotations

from dataclasses import dataclass

from recs.data.table import Table


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Table):
    """Columns of features and labels, in memory, one row a sample.

    Args:
        columns: name to values: a NumPy array, a list, or a `RaggedColumn`.
        roles: None: no column plays a role.

    Raises:
        ValueError: when lengths differ.

    Example:
    ```python
    >>> from recs.data import Samples
    >>> samples = Samples({"age": [25, 38], "job": ["clerk", "farmer"], "moved": [0.0, 1.0]})
    >>> samples
    Samples(2 rows: age, job, moved)
    >>> samples.take(samples["age"] > 30)["job"]
    array(['farmer'], dtype=object)

    ```
    """
