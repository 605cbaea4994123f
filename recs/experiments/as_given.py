"""The parts that a column names."""

from __future__ import annotations

import numpy as np

from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.errors import explain
from recs.experiments.splitter import Splitter

_PARTS = ("train", "test", "validation")


class AsGiven(Splitter):
    """A predefined split: a column says `train`, `validation` or `test`.

    Args:
        column: The column. Defaults to `"part"`.
        train_on_validation: Whether the validation part is trained on too: when settings have been
            chosen by it, and the test is to come. Defaults to `False`.
        last: float in [0, 1): this share of each user's training interactions, the latest, and one
            at least, validates instead: for a test of what came later, which a part drawn at random
            does not stand for. Needs a timestamp. Defaults to `0.0`: none.

    Raises:
        ValueError: when there is no such column, it says something else, or `last` is out of range
            or has no timestamp to go by.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.experiments import AsGiven
    >>> log = Interactions(
    ...     {"user": [1, 1, 2], "item": [5, 6, 5], "part": ["train", "test", "validation"]}
    ... )
    >>> AsGiven().split(log).test.item, AsGiven(train_on_validation=True).split(log).train.user
    (array([6]), array([1, 2]))

    ```
    """

    def __init__(
        self, column: str = "part", train_on_validation: bool = False, last: float = 0.0
    ) -> None:
        if not 0.0 <= last < 1.0:
            raise ValueError(
                explain(
                    "`last`", rule="must lie in [0, 1)", received=f"last={last}", where="AsGiven"
                )
            )
        self.column = column
        self.train_on_validation = train_on_validation
        self.last = last

    def split(self, data: Interactions) -> Split:
        """Returns the parts, without the column."""
        says = np.array(data[self.column], object)  # A copy, to be written to.
        unknown = set(says.tolist()) - set(_PARTS)
        if unknown:
            raise ValueError(
                explain(
                    f"Column {self.column!r}",
                    rule=f"must say {', '.join(_PARTS)} in every row",
                    received=", ".join(repr(one) for one in sorted(map(str, unknown))[:5]),
                    where="AsGiven",
                )
            )
        latest = self._latest(data, says == "train") if self.last else np.zeros(0, np.int64)
        if self.train_on_validation or self.last:
            says = np.where(says == "validation", "train", says)
        says[latest] = "validation"
        rest = {name: column for name, column in data.columns.items() if name != self.column}
        data = data._with_columns(rest)
        return Split(*(data.take(says == part) for part in _PARTS))

    def _latest(self, data: Interactions, candidates: np.ndarray) -> np.ndarray:
        """Returns the rows, among some, that come last in time for their users."""
        if data.timestamp is None:
            raise ValueError(
                explain(
                    "`last`",
                    rule="needs interactions with a timestamp",
                    received=f"roles={dict(data.roles or {})!r}",
                    where="AsGiven",
                )
            )
        rows = np.flatnonzero(candidates)
        code, _ = codes(data.user[rows])
        order = np.lexsort([data.timestamp[rows], code])  # Users together, each by time.
        count = np.bincount(code)
        wanted = np.maximum(1, np.round(self.last * count)).astype(np.int64)
        from_end = np.repeat(np.cumsum(count), count) - 1 - np.arange(len(rows))
        return rows[order[from_end < wanted[code[order]]]]
