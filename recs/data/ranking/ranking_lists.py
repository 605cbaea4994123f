"""Lists in memory: what every reader returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recs.data.ragged_column import RaggedColumn
from recs.data.ranking.ranking_feature import RankingFeature
from recs.data.ranking.ranking_features import RankingFeatures
from recs.errors import explain

if TYPE_CHECKING:
    import tensorflow as tf

Column = np.ndarray | RaggedColumn


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RankingLists:
    """Lists of items to rank, as columns.

    Args:
        features: What the columns are. Columns it does not name are dropped.
        context: By name, a value a list: an array, or for sequences a `RaggedColumn` or lists.
        examples: By name, a value an item, list after list, with the labels.
        row_splits: Where each list begins among the items, and their number at the end.
        skipped: What was left out of malformed records, and why. Defaults to none.

    Shapes: context `(lists, *shape)`, examples `(items, *shape)`, `row_splits (lists + 1,)`.

    Raises:
        ValueError: a column is missing, or has not the rows, shape or dtype it should have, or
            holds a number that is not finite, or `row_splits` does not rise from 0 to the number of
            items.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
    >>> features = RankingFeatures(examples=[RankingFeature("price")])
    >>> examples = {"price": [3.0, 1.0, 2.0], "label": [0, 1, 2]}
    >>> lists = RankingLists(features, {}, examples, row_splits=[0, 1, 3])
    >>> lists
    RankingLists(2 lists, 3 items: price, label)
    >>> batch = next(iter(lists.to_dataset(batch_size=2)))
    >>> batch["price"].numpy().tolist(), batch["label"].numpy().tolist()
    ([[3.0, 0.0], [1.0, 2.0]], [[0.0, -1.0], [1.0, 2.0]])

    ```
    """

    features: RankingFeatures
    context: Mapping[str, Any]
    examples: Mapping[str, Any]
    row_splits: Any
    skipped: Sequence[str] = ()

    def __post_init__(self) -> None:
        splits = np.asarray(self.row_splits, np.int64)
        count = int(splits[-1]) if splits.ndim == 1 and splits.size else -1
        if count < 0 or splits[0] != 0 or (np.diff(splits) < 0).any():
            raise _bad("`row_splits`", "must rise from 0 to the number of items", repr(splits))
        of = self.features
        object.__setattr__(self, "row_splits", splits)
        parts = (
            ("context", of.context, len(splits) - 1),
            ("examples", of.of_examples(True), count),
        )
        for part, described, rows in parts:
            object.__setattr__(self, part, _columns(getattr(self, part), described, rows, part))
        object.__setattr__(self, "skipped", tuple(self.skipped))

    @classmethod
    def from_rows(
        cls, features: RankingFeatures, columns: Mapping[str, Any], query: Any, **kwargs: Any
    ) -> RankingLists:
        """Returns lists from a table with one row per item and a column that names its query.

        Args:
            features: What the columns are; those of the context repeat their value in each row.
            columns: By name, a value a row.
            query: `(rows,)`, or the name of one of `columns`: rows with the same value form a
                list. Lists come in the order in which queries first occur, items in that of their
                rows.
            **kwargs: As for the class.

        Raises:
            ValueError: `query` is neither, a feature of the context differs within a query, or as
                for the class.
        """
        query = _queries(query, columns)
        _, first, code = np.unique(query, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first, kind="stable")] = np.arange(len(first))
        order = np.argsort(rank[code], kind="stable")
        splits = np.concatenate([[0], np.cumsum(np.bincount(rank[code], minlength=len(first)))])
        rows = _columns(columns, features.context, len(query), "context")
        for name, column in rows.items():
            _check_same(name, column, order, splits, query)
        heads = order[splits[:-1]]
        context = {name: take(column, heads) for name, column in rows.items()}
        of_items = _columns(columns, features.of_examples(True), len(query), "examples")
        examples = {name: take(column, order) for name, column in of_items.items()}
        return cls(features, context, examples, splits, **kwargs)

    def __len__(self) -> int:
        return len(self.row_splits) - 1

    def __repr__(self) -> str:
        names = ", ".join([*self.context, *self.examples])
        skipped = f"; {len(self.skipped)} skipped" if self.skipped else ""
        return f"RankingLists({len(self):,} lists, {self.row_splits[-1]:,} items: {names}{skipped})"

    def take(self, lists: Any) -> RankingLists:
        """Returns the lists of a mask or of these numbers, in that order."""
        chosen = np.arange(len(self))[np.asarray(lists)]
        items = RaggedColumn(np.arange(self.row_splits[-1]), self.row_splits).take(chosen)
        return dataclasses.replace(
            self,
            context={name: take(column, chosen) for name, column in self.context.items()},
            examples={name: take(column, items.values) for name, column in self.examples.items()},
            row_splits=items.row_splits,
        )

    def to_dataset(
        self,
        batch_size: int,
        *,
        list_size: int | None = None,
        shuffle: bool = False,
        shuffle_examples: bool = False,
        seed: int | None = 0,
        drop_remainder: bool = False,
        supervised: bool = False,
    ) -> tf.data.Dataset:
        """Returns batches as `RankingFeatures` describes them.

        Args:
            batch_size: Lists a batch.
            list_size: How many items a list is padded or cut to. Defaults to `None`: the longest
                list of each batch, and nothing is cut.
            shuffle: Whether to shuffle the lists, anew each epoch. Defaults to `False`.
            shuffle_examples: Whether to shuffle the items within each list, before it is cut, anew
                each epoch. Defaults to `False`: a list that is cut keeps its first items.
            seed: Of both, as in `Table.to_dataset`; `None` draws it, which no training that is
                resumed can repeat. Defaults to `0`.
            drop_remainder: Whether to leave out a last batch that is smaller. Defaults to `False`.
            supervised: Whether to give `(batch, labels)`, or with weights `(batch, labels,
                weights)`, as `fit` of a plain Keras model wants it. Defaults to `False`: one dict.

        Raises:
            ValueError: `batch_size` or `list_size` is not positive.
        """
        from recs.data.ranking.list_batches import list_batches

        return list_batches(
            self,
            batch_size=batch_size,
            list_size=list_size,
            shuffle=shuffle,
            shuffle_examples=shuffle_examples,
            seed=seed,
            drop_remainder=drop_remainder,
            supervised=supervised,
        )


def _queries(query: Any, columns: Mapping[str, Any]) -> np.ndarray:
    if isinstance(query, str):
        if query not in columns:
            names = ", ".join(columns)
            raise _bad("`query`", f"must name a column: {names}", f"query={query!r}")
        query = columns[query]
    values = np.asarray(query)
    if values.ndim != 1:
        raise _bad("`query`", "must have a value for each row", f"shape {values.shape}")
    return values


def take(column: Column, rows: np.ndarray) -> Column:
    """Returns rows of a column."""
    return column.take(rows) if isinstance(column, RaggedColumn) else column[rows]


def _columns(
    given: Mapping[str, Any], described: Sequence[RankingFeature], rows: int, part: str
) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for feature in described:
        wanted = [(feature.name, feature.dtype)]
        if feature.weights is not None:
            wanted.append((feature.weights, "float32"))
        for name, dtype in wanted:
            if name not in given:
                rule = f"must be among the columns: {', '.join(given) or 'none'}"
                raise _bad(f"'{name}'", rule, f"no such column in `{part}`")
            columns[name] = _column(name, given[name], feature, str(dtype), rows)
        if feature.weights is not None:
            ids, weights = columns[feature.name], columns[feature.weights]
            if not np.array_equal(_splits(ids), _splits(weights)):
                raise _bad(f"'{feature.weights}'", "must have one number an id", "other lengths")
    return columns


def _splits(column: Column) -> np.ndarray:
    return column.row_splits if isinstance(column, RaggedColumn) else np.arange(len(column) + 1)


def _column(name: str, value: Any, feature: RankingFeature, dtype: str, rows: int) -> Column:
    kind = object if dtype == "string" else dtype
    try:
        if feature.kind == "sequence":
            if not isinstance(value, RaggedColumn):
                value = RaggedColumn.from_lists(value)
            empty = len(value.values) == 0
            numbers = value.values.astype(kind) if empty else _cast(value.values, kind)
            column: Column = RaggedColumn(numbers, value.row_splits)
            fits = len(column) == rows
        else:
            column = _cast(np.asarray(value), kind)
            fits = column.shape == (rows, *feature.shape)
    except (TypeError, ValueError) as error:
        raise _bad(f"Column '{name}'", f"must hold {dtype}", str(error)) from error
    values = column.values if isinstance(column, RaggedColumn) else column
    if dtype == "float32" and not np.isfinite(values).all():
        place = int(np.flatnonzero(~np.isfinite(values.reshape(-1)))[0])
        received = f"{values.reshape(-1)[place]} as value {place} of {values.size}"
        raise _bad(f"Column '{name}'", "must hold finite numbers", received)
    if not fits:
        received = f"{len(column)} rows" if feature.kind == "sequence" else str(np.shape(value))
        raise _bad(f"Column '{name}'", f"must be {(rows, *feature.shape)}", received)
    return column


def _cast(values: np.ndarray, kind: Any) -> np.ndarray:
    """Returns the values as numbers of the kind, or as strings, if that loses nothing of ids."""
    text = values.dtype.kind in "OSU"
    if text != (kind is object):
        raise TypeError(f"dtype {values.dtype}")
    if values.dtype.kind in "mM" or (kind == "int64" and values.dtype.kind not in "iu"):
        raise TypeError(f"dtype {values.dtype}")
    if kind == "int64" and values.dtype == np.uint64 and (values >= 2**63).any():
        raise TypeError(f"{values.max()}, which does not fit")
    return values.astype(kind)


def _check_same(
    name: str, column: Column, order: np.ndarray, splits: np.ndarray, query: np.ndarray
) -> None:
    lists = np.repeat(np.arange(len(splits) - 1), np.diff(splits))
    first = order[splits[:-1]][lists]
    if isinstance(column, RaggedColumn):
        wrong = np.array([column[a] != column[b] for a, b in zip(order, first, strict=True)], bool)
    else:
        other = column[order] != column[first]
        wrong = other.reshape(len(order), -1).any(1)
    if wrong.any():
        at = order[np.flatnonzero(wrong)[0]]
        rule = "must be the same in all rows of a query: it is of the context"
        raise _bad(
            f"'{name}'",
            rule,
            f"another value in row {at}, of query {query[at : at + 1].tolist()[0]!r}",
        )


def _bad(what: str, rule: str, received: str) -> ValueError:
    return ValueError(explain(what, rule=rule, received=received, where="RankingLists"))
