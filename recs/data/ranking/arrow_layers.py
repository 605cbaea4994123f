"""An Arrow column of lists, of lists of lists, or of plain values, as the layers it has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recs.data.ragged_column import RaggedColumn
from recs.data.ranking.ranking_feature import RankingFeature
from recs.errors import explain


class ArrowLayers:
    """A column of a feature, or of its weights: flat values, and where each list begins.

    Args:
        name: The column.
        table: A `pyarrow.Table`.
        feature: What it holds.
        outer: 1 if a row has a list of items, 0 if it has one value.
        where: The file.

    Raises:
        ValueError: the type of the column is another one.

    Attributes:
        splits: Row splits of every layer of lists, the outermost first.
        nulls: The numbers of the flat values that are null and have no default.
    """

    def __init__(
        self, name: str, table: Any, feature: RankingFeature, outer: int, where: str
    ) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        types = pa.types
        self.name = name
        self.feature = feature
        self.sequence = feature.kind == "sequence"
        self.structure = outer + int(self.sequence)
        self.splits: list[np.ndarray] = []
        column = table.column(name)
        while any(is_kind(column.type) for is_kind in _lists(types)):
            lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
            self.splits.append(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
            column = pc.list_flatten(column)
        if len(self.splits) < self.structure or (
            len(self.splits) > self.structure and (self.sequence or feature.shape == ())
        ):
            rule = f"must hold {'lists of ' * self.structure}values"
            raise _bad(name, rule, f"type {table.column(name).type}", where)
        fill = feature.default if feature.shape == () and not self.sequence else None
        if fill is not None and column.null_count:
            column = column.fill_null(fill)
        self.nulls = np.flatnonzero(column.is_null().to_numpy())
        self._flat = _values(column, name, _dtype(name, feature), where)

    def values(self) -> np.ndarray | RaggedColumn:
        """Returns a value an item (or a row), the items of all rows one after another."""
        if self.sequence:
            return RaggedColumn(self._flat, self.splits[-1])
        return self._flat.reshape(-1, *self.feature.shape)

    def problems(self) -> list[tuple[int, str]]:
        """Returns rows with a value that may not be, and what is wrong with it."""
        found = []
        if self.feature.shape:
            width = math.prod(self.feature.shape)
            counts = np.diff(self._composed(self.structure))
            for item in np.flatnonzero(counts != width).tolist():
                reason = f"'{self.name}' has {counts[item]} values, not {width}"
                found.append((self._row_of(item, self.structure), reason))
        for at in self.nulls.tolist():
            found.append((self._row_of(at, len(self.splits)), f"'{self.name}' is null"))
        if self._flat.dtype.kind == "f":
            for at in np.flatnonzero(~np.isfinite(self._flat)).tolist():
                reason = f"'{self.name}' is {self._flat[at]}"
                found.append((self._row_of(at, len(self.splits)), reason))
        return found

    def _composed(self, start: int, end: int | None = None) -> np.ndarray:
        """Returns the splits of the layers from `start` on as those of one layer."""
        layers = self.splits[start:end]
        if not layers:
            return np.arange(len(self._flat) + 1)
        whole = layers[0]
        for layer in layers[1:]:
            whole = layer[whole]
        return whole

    def _row_of(self, at: int, layers: int) -> int:
        """Returns the row that value `at` below so many layers belongs to."""
        if not layers:
            return int(at)
        return int(np.searchsorted(self._composed(0, layers), at, side="right")) - 1


def _lists(types: Any) -> tuple[Any, ...]:
    return types.is_list, types.is_large_list, types.is_fixed_size_list


def _dtype(name: str, feature: RankingFeature) -> str:
    return "float32" if name == feature.weights else str(feature.dtype)


def _values(column: Any, name: str, dtype: str, where: str) -> np.ndarray:
    """Returns flat values of the dtype; what stands for a null does not matter."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    text = types.is_string(kind) or types.is_large_string(kind)
    whole = types.is_integer(kind) or types.is_boolean(kind)
    number = whole or types.is_floating(kind) or types.is_decimal(kind)
    fits = {"string": text, "int64": whole, "float32": number}[dtype] or types.is_null(kind)
    if not fits:
        raise _bad(name, f"must hold {dtype}", f"type {kind}", where)
    target = {"string": pa.string(), "int64": pa.int64(), "float32": pa.float64()}[dtype]
    try:
        column = column.cast(target)
    except pa.ArrowInvalid as error:
        raise _bad(name, f"must hold {dtype}", str(error).rstrip("."), where) from error
    filled = column.fill_null("" if dtype == "string" else 0).to_numpy()
    return filled if dtype == "string" else filled.astype(dtype)


def _bad(name: str, rule: str, received: str, where: str) -> ValueError:
    return ValueError(explain(f"Column '{name}'", rule=rule, received=received, where=where))
