"""Lists from Parquet files."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

import numpy as np

from recs.data.arrow import pick, read_table
from recs.data.ranking.arrow_layers import ArrowLayers
from recs.data.ranking.malformed import Malformed
from recs.data.ranking.ranking_feature import RankingFeature
from recs.data.ranking.ranking_features import RankingFeatures
from recs.data.ranking.ranking_lists import RankingLists


def read_parquet(
    path: str | PathLike[str],
    features: RankingFeatures,
    *,
    query: str | None = None,
    malformed: str = "raise",
) -> RankingLists:
    """Returns the lists in a Parquet file, or in a folder of them.

    With `query` a row is an item, and rows of the same query form a list, in the order of the file,
    wherever they stand; features of the context repeat their value in each row. Without it a row
    is a list, and what is known of its items are lists of one length. Ids of sequences are lists
    (within these), and so are numbers of a shape; a null sequence is empty, another null value is
    the feature's `default`.

    Args:
        path: The file or folder.
        features: What the columns hold, labels included. Other columns are not read.
        query: The column that says which query a row is of. Defaults to `None`: a row is a list.
        malformed: `"raise"`, or `"skip"`: leave such rows out, with their reason in `skipped`.
            Defaults to `"raise"`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing or of another type, or a row is malformed: a null without
            default, another number of values than the shape says, or lists of different lengths.
            The message has the number of the row, from 0.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> from recs.data.ranking import RankingFeature, RankingFeatures, read_parquet
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.parquet"
    >>> columns = {"search": ["a", "b", "a"], "price": [2.5, 1.0, 4.0], "label": [0, 1, 2]}
    >>> pq.write_table(pa.table(columns), path)
    >>> features = RankingFeatures(examples=[RankingFeature("price")])
    >>> lists = read_parquet(path, features, query="search")
    >>> lists.row_splits.tolist(), lists.examples["price"].tolist()
    ([0, 2, 3], [2.5, 4.0, 1.0])

    ```
    """
    where = fspath(path)
    problems = Malformed(malformed, where)
    of_lists = _named(features.context)
    of_items = _named(features.of_examples(True))
    needed = [*of_lists, *of_items, *([] if query is None else [query])]
    table = pick(read_table(path, "parquet"), {name: name for name in needed}, (), where)
    outer = 1 if query is None else 0

    def read(table: Any) -> dict[str, ArrowLayers]:
        return {
            **{name: ArrowLayers(name, table, one, 0, where) for name, one in of_lists.items()},
            **{name: ArrowLayers(name, table, one, outer, where) for name, one in of_items.items()},
        }

    found = read(table)
    bad = _bad_rows(found, list(of_items) if outer else [])
    if query is not None:
        nulls = np.flatnonzero(table.column(query).is_null().to_numpy())
        bad = {**{int(row): f"'{query}' is null" for row in nulls}, **bad}
    if bad:
        for row in sorted(bad):
            problems.add(f"row {row}", bad[row])
        kept = np.ones(table.num_rows, bool)
        kept[list(bad)] = False
        table = table.filter(kept)
        found = read(table)
    columns = {name: one.values() for name, one in found.items()}
    if query is not None:
        queries = table.column(query).to_numpy()
        return RankingLists.from_rows(features, columns, queries, skipped=problems.found)
    splits = found[features.label].splits[0]
    return RankingLists(
        features,
        {name: columns[name] for name in of_lists},
        {name: columns[name] for name in of_items},
        splits,
        problems.found,
    )


def _named(features: Any) -> dict[str, RankingFeature]:
    """Returns the feature of each column; weights are a sequence of numbers of their own."""
    named: dict[str, RankingFeature] = {}
    for feature in features:
        named[feature.name] = feature
        if feature.weights is not None:
            named[feature.weights] = feature
    return named


def _bad_rows(columns: dict[str, ArrowLayers], of_items: list[str]) -> dict[int, str]:
    """Returns the first reason against each row that has any."""
    bad: dict[int, str] = {}
    for name in of_items[1:]:
        first, other = (np.diff(columns[one].splits[0]) for one in (of_items[0], name))
        for row in np.flatnonzero(first != other).tolist():
            reason = f"'{of_items[0]}' has {first[row]} items, '{name}' {other[row]}"
            bad.setdefault(row, reason)
    for column in columns.values():
        for row, reason in column.problems():
            bad.setdefault(row, reason)
    return bad
