"""Lists from LibSVM and LETOR files."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from typing import TextIO

import numpy as np

from recs.data.ragged_column import RaggedColumn
from recs.data.ranking.malformed import Malformed
from recs.data.ranking.ranking_feature import RankingFeature
from recs.data.ranking.ranking_features import RankingFeatures
from recs.data.ranking.ranking_lists import RankingLists
from recs.errors import explain

Row = tuple[float, str | None, list[int], list[float]]


def read_libsvm(
    path: str | PathLike[str],
    *,
    query_sizes: str | PathLike[str] | None = None,
    num_features: int | None = None,
    first_number: int = 1,
    sparse: bool = False,
    malformed: str = "raise",
) -> RankingLists:
    r"""Returns the lists in a file of lines `label qid:query number:value ... # comment`.

    Lines of a query stand together. Where lines have no `qid`, a second file says how many lines
    each query has, as LightGBM writes it. A feature that a line does not give is 0.

    Args:
        path: The file, also compressed (`.gz`).
        query_sizes: The file with a number of lines in each line. Defaults to `None`: lines have
            a `qid`.
        num_features: How many features there are. Defaults to `None`: as the greatest number says;
            give it where a test file may lack the last ones.
        first_number: The number of the first feature. Defaults to 1.
        sparse: Whether `"features"` is a sequence of numbers, with values as weights, instead of a
            dense vector. Defaults to `False`.
        malformed: `"raise"`, or `"skip"`: leave such lines out, with their reason in `skipped`.
            Defaults to `"raise"`.

    Returns:
        Lists with the context feature `"qid"` (if lines have one), the example feature
        `"features"`, `(num_features,)` float32, and labels.

    Raises:
        ValueError: a line is malformed, a query comes back after another one, or sizes do not add
            up to the number of lines.

    Example:
    ```python
    >>> import pathlib, tempfile
    >>> from recs.data.ranking import read_libsvm
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "train.txt"
    >>> _ = path.write_text("2 qid:7 1:0.5 3:1\n0 qid:7 2:0.25 # doc 12\n1 qid:9 1:2\n")
    >>> lists = read_libsvm(path)
    >>> lists.row_splits.tolist(), lists.examples["label"].tolist()
    ([0, 2, 3], [2.0, 0.0, 1.0])
    >>> lists.examples["features"].tolist()
    [[0.5, 0.0, 1.0], [0.0, 0.25, 0.0], [2.0, 0.0, 0.0]]

    ```

    Reference: the LETOR data sets; LightGBM's `.query` files.
    """
    where = fspath(path)
    problems = Malformed(malformed, where)
    rows: list[Row] = []
    kept: list[bool] = []  # sizes count the lines that are left out too
    with _open(where) as file:
        for number, line in enumerate(file, 1):
            text = line.split("#", 1)[0].split()
            if not text:
                continue
            try:
                rows.append(_row(text, first_number, num_features, query_sizes is None))
                kept.append(True)
            except ValueError as error:
                problems.add(f"line {number}", str(error))
                kept.append(False)
    if query_sizes is None:
        names, lengths = _runs([str(row[1]) for row in rows], where)
    else:
        names, lengths = [], _sizes(fspath(query_sizes), kept)
    splits = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    context = [RankingFeature("qid", "ids", dtype="string")] if query_sizes is None else []
    feature, columns = _features(rows, num_features, first_number, sparse)
    columns["label"] = np.array([row[0] for row in rows], np.float32)
    return RankingLists(
        RankingFeatures(context, [feature]),
        {"qid": np.array(names, object)} if context else {},
        columns,
        splits,
        problems.found,
    )


def _open(path: str) -> TextIO:
    return gzip.open(path, "rt") if path.endswith(".gz") else open(path, encoding="utf-8")


def _row(text: Sequence[str], first: int, count: int | None, needs_query: bool) -> Row:
    """Returns the values of a line; ValueError with the reason."""
    try:
        label = float(text[0])
    except ValueError:
        raise ValueError(f"the label {text[0]!r} is not a number") from None
    query, numbers, values = None, [], []
    for key, value in _pairs(text[1:]):
        if key == "qid":
            query = value
            continue
        try:
            numbers.append(int(key))
            values.append(float(value))
        except ValueError:
            raise ValueError(f"'{key}:{value}' is not number:value") from None
    if needs_query and query is None:
        raise ValueError("there is no qid (or give `query_sizes`)")
    end = None if count is None else first + count
    if any(n < first or (end is not None and n >= end) for n in numbers):
        beyond = next(n for n in numbers if n < first or (end is not None and n >= end))
        raise ValueError(f"feature number {beyond} is not from {first} on, below {end}")
    if len(set(numbers)) < len(numbers):
        raise ValueError("a feature number occurs twice")
    if not np.isfinite([label, *values]).all():
        raise ValueError("a number is not finite")
    return label, query, numbers, values


def _pairs(text: Sequence[str]) -> Iterator[tuple[str, str]]:
    for pair in text:
        key, colon, value = pair.partition(":")
        if not colon:
            raise ValueError(f"{pair!r} is not number:value")
        yield key, value


def _runs(queries: list[str], where: str) -> tuple[list[str], list[int]]:
    names: list[str] = []
    lengths: list[int] = []
    for query in queries:
        if names and names[-1] == query:
            lengths[-1] += 1
        else:
            names.append(query)
            lengths.append(1)
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        rule = "must stand together"
        received = f"lines of query {twice[0]} in several places"
        raise ValueError(explain("Lines of a query", rule=rule, received=received, where=where))
    return names, lengths


def _sizes(path: str, kept: list[bool]) -> list[int]:
    with _open(path) as file:
        text = file.read().split()
    if not all(one.isdigit() for one in text) or sum(map(int, text)) != len(kept):
        rule = f"must be whole numbers that add up to the number of lines, {len(kept)}"
        received = f"{len(text)} entries" + (
            f", {sum(map(int, text))} in all" if all(one.isdigit() for one in text) else ""
        )
        raise ValueError(explain("Sizes of queries", rule=rule, received=received, where=path))
    ends = np.cumsum([int(one) for one in text], dtype=np.int64)
    before = np.concatenate([[0], np.cumsum(kept)])[np.concatenate([[0], ends])]
    return np.diff(before).tolist()


def _features(
    rows: list[Row], count: int | None, first: int, sparse: bool
) -> tuple[RankingFeature, dict[str, np.ndarray | RaggedColumn]]:
    lengths = [len(row[2]) for row in rows]
    splits = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    numbers = np.array([n for row in rows for n in row[2]], np.int64)
    values = np.array([v for row in rows for v in row[3]], np.float32)
    if sparse:
        feature = RankingFeature("features", "sequence", combiner="sum", weights="feature_values")
        ids, weights = RaggedColumn(numbers, splits), RaggedColumn(values, splits)
        return feature, {"features": ids, "feature_values": weights}
    width = count or int(numbers.max(initial=first)) - first + 1
    dense = np.zeros((len(rows), width), np.float32)
    dense[np.repeat(np.arange(len(rows)), lengths), numbers - first] = values
    return RankingFeature("features", shape=(width,)), {"features": dense}
