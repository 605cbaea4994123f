"""Samples of several domains in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recs.data.ragged_column import RaggedColumn
from recs.data.samples import Samples
from recs.errors import explain


def stack_domains(parts: Mapping[str, Mapping[str, Any]], column: str = "domain") -> Samples:
    """Returns the rows of all domains, one after the other, with the domain's name as a column.

    What a domain does not have is "" in columns of text, NaN in columns of numbers, labels among
    them, and an empty list in columns of lists. Integers that a domain lacks become text.

    Args:
        parts: For each domain a table, or a dict of columns.
        column: The name of the column that is added. Defaults to `"domain"`.

    Raises:
        ValueError: there are no domains, a column has that name already, or is lists in one domain
            and not in another.

    Example:
    ```python
    >>> from recs.data import stack_domains
    >>> rows = stack_domains({"books": {"user": ["ann"], "author": ["Eco"]},
    ...                       "films": {"user": ["bob"], "length": [90.0]}})
    >>> rows
    Samples(2 rows: domain, user, author, length)
    >>> rows["author"].tolist(), rows["length"].tolist()
    (['Eco', ''], [nan, 90.0])

    ```
    """
    tables = {name: Samples({key: part[key] for key in part}) for name, part in parts.items()}
    if not tables or any(column in table for table in tables.values()):
        raise ValueError(
            explain(
                "`parts`",
                rule=f"must be tables of one or more domains, without a column {column!r}",
                received={name: table.keys() for name, table in tables.items()},
                where="recs.data.stack_domains",
            )
        )
    names = list(dict.fromkeys(key for table in tables.values() for key in table))
    stacked: dict[str, Any] = {
        column: np.repeat(np.array(list(tables), object), [len(t) for t in tables.values()])
    }
    for key in names:
        columns = [table.columns.get(key) for table in tables.values()]
        lengths = [len(table) for table in tables.values()]
        stacked[key] = _stacked(key, columns, lengths)
    return Samples(stacked)


def _stacked(key: str, columns: list[Any], lengths: list[int]) -> Any:
    there = [one for one in columns if one is not None]
    lists = [not isinstance(one, np.ndarray) for one in there]
    if any(lists):
        if not all(lists):
            raise ValueError(
                explain(
                    f"Column {key!r}",
                    rule="must be lists in all domains that have it, or in none",
                    received="both",
                    where="recs.data.stack_domains",
                )
            )
        rows = [[[]] * n if c is None else c.to_list()
                for c, n in zip(columns, lengths, strict=True)]  # fmt: skip
        return RaggedColumn.from_lists([row for part in rows for row in part])
    kinds = {one.dtype.kind for one in there}
    if "O" in kinds or (len(there) < len(columns) and kinds & set("iu")):
        texts = [np.array([""] * n, object) if c is None else c.astype(str).astype(object)
                 for c, n in zip(columns, lengths, strict=True)]  # fmt: skip
        return np.concatenate(texts)
    return np.concatenate(
        [np.full(n, np.nan, np.float32) if c is None else c
         for c, n in zip(columns, lengths, strict=True)]
    )  # fmt: skip
