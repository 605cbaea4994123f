"""The rows of another table."""

from __future__ import annotations

from typing import Any

from recs.warm_start.rows import Rows
from recs.warm_start.target import table_of


def from_table(table: Any) -> Rows:
    """Returns all ids of a table and their rows, from one moment and in memory.

    Optimizer slots are not among them; a whole state goes from one table to another by
    `table.save` and `table.restore`.

    Args:
        table: A `DynamicEmbedding`, its `table`, or a table of an `EmbeddingCollection`; of any
            model.

    Raises:
        ValueError: it is none of these.

    Example:
    ```python
    >>> old = recs.layers.DynamicEmbedding(4)
    >>> _ = old(np.array([5, 6]), training=True)
    >>> new = recs.layers.DynamicEmbedding(4, optimizer="adam")
    >>> recs.warm_start.from_table(old).into(new)
    Filled(new=2, known=0, evicted=0)
    >>> np.array_equal(new(np.array([5, 6])), old(np.array([5, 6])))
    True

    ```
    """
    found = table_of(table, where="from_table")
    return Rows(*found.export(), f"table '{found.name}'")
