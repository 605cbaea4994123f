"""Data that a model is given in a form that Keras does not take."""

from __future__ import annotations

from typing import Any

from recs.data.ranking import RankingLists
from recs.data.table import Table
from recs.errors import explain


def refuse_table(data: Any, where: str) -> None:
    """Raises a TypeError where data is a table of `recs.data` instead of a dataset."""
    if isinstance(data, Table | RankingLists):
        raise TypeError(
            explain(
                "`x`",
                rule="must be a dataset of batches",
                received=f"{data!r}",
                where=f"{where}",
                remedy=f"Call `{where}(data.to_dataset(batch_size=...))`, with `shuffle=True` to "
                "train.",
            )
        )
