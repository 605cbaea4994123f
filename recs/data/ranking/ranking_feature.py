"""Describes one feature of a list, or of its items."""

from __future__ import annotations

import dataclasses
from typing import Any

from recs.errors import explain

KINDS = ("dense", "ids", "sequence")
DTYPES = ("float32", "int64", "string")
COMBINERS = ("sum", "mean", "sqrtn", "attention", None)


@dataclasses.dataclass(frozen=True)
class RankingFeature:
    """Describes a feature once, for parsing, training and serving.

    Args:
        name: Its key in records, columns and batches.
        kind: `"dense"`, numbers of a fixed shape; `"ids"`, ids of a fixed shape, mostly one;
            `"sequence"`, any number of ids, such as a history or tags. Defaults to `"dense"`.
        dtype: `"float32"`, `"int64"` or `"string"`. Defaults to `None`: float32 for dense ones,
            else int64.
        shape: The shape of a value; a sequence has none. Defaults to `()`, one number or id.
        default: What a record that lacks the feature has. Defaults to `None`: the record is
            malformed. A sequence that is missing is empty.
        padding: The value of padded items. Defaults to `None`: `default`, else 0 or `""`. No input
            layer looks it up, so that it need not be an id that nobody uses.
        table: The table of the ids. Defaults to `None`: the feature's name.
        combiner: How the vectors of the ids become one: `"sum"`, `"mean"`, `"sqrtn"`, `"attention"`
            (see `query`), or `None`, a vector an id for the scorer's own layers. Defaults to
            `"mean"`. Ids of a fixed shape are put end to end, whatever it says.
        max_length: How many ids of a sequence count, from its beginning. Defaults to `None`: all.
        weights: The name of a sequence with one number per id, read with it. Defaults to `None`.
        query: For `combiner="attention"`: the `"ids"` feature whose vector each id of the sequence
            is compared with. Defaults to `None`.

    Raises:
        ValueError: an argument is none of these, or does not go with the kind.

    Example:
    ```python
    >>> from recs.data.ranking import RankingFeature
    >>> price = RankingFeature("price")
    >>> history = RankingFeature("history", "sequence", table="items", combiner="sqrtn")
    >>> price.dtype, history.dtype
    ('float32', 'int64')

    ```
    """

    name: str
    kind: str = "dense"
    dtype: str | None = None
    shape: tuple[int, ...] = ()
    default: Any = None
    padding: Any = None
    table: str | None = None
    combiner: str | None = "mean"
    max_length: int | None = None
    weights: str | None = None
    query: str | None = None

    def __post_init__(self) -> None:
        if self.dtype is None:
            object.__setattr__(self, "dtype", "float32" if self.kind == "dense" else "int64")
        object.__setattr__(self, "shape", tuple(self.shape))
        self._check("name", isinstance(self.name, str) and bool(self.name), "must be a string")
        self._check("kind", self.kind in KINDS, f"must be one of {KINDS}")
        self._check("dtype", self.dtype in DTYPES, f"must be one of {DTYPES}")
        self._check("combiner", self.combiner in COMBINERS, f"must be one of {COMBINERS}")
        numbers = self.kind == "dense"
        self._check("dtype", self.dtype != ("string" if numbers else "float32"), _OF_KIND)
        sequence = self.kind == "sequence"
        self._check("shape", not (sequence and self.shape), "must be () for a sequence")
        positive = all(isinstance(size, int) and size > 0 for size in self.shape)
        self._check("shape", positive, "must hold positive integers")
        self._check("max_length", self.max_length is None or sequence, _OF_SEQUENCES)
        length = self.max_length
        self._check("max_length", length is None or length > 0, "must be a positive integer")
        self._check("weights", self.weights is None or sequence, _OF_SEQUENCES)
        pooled = self.combiner in ("sum", "mean", "sqrtn")
        self._check("weights", self.weights is None or pooled, "need a combiner that sums")
        attended = sequence and self.combiner == "attention"
        self._check("query", (self.query is not None) == attended, _OF_ATTENTION)

    def _check(self, argument: str, holds: bool, rule: str) -> None:
        if not holds:
            received = f"{argument}={getattr(self, argument)!r}"
            where = f"RankingFeature '{self.name}'"
            raise ValueError(explain(f"`{argument}`", rule=rule, received=received, where=where))

    @property
    def pad(self) -> Any:
        """What padded items have."""
        empty = "" if self.dtype == "string" else 0
        return next((v for v in (self.padding, self.default) if v is not None), empty)


_OF_KIND = "must be a number's for dense features and an id's for others"
_OF_SEQUENCES = "must be given for sequences only"
_OF_ATTENTION = "must be given for sequences with combiner='attention', and for these only"
