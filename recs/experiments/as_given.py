"""The parts that a column names."""

from __future__ import annotations

import numpy as np

from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.errors import explain
from recs.experiments.splitter import Splitter

_PARTS = ("train", "test", "validation")


class AsGiven(Splitter):
    """A split that was made before: a column says `train`, `validation` or `test`.

    Args:
        column: The column. Defaults to `"part"`.
        train_on_validation: Whether the validation part is trained on too: when settings have been
            chosen by it, and the test is to come. Defaults to `False`.

    Raises:
        ValueError: when there is no such column, or it says something else.

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

    def __init__(self, column: str = "part", train_on_validation: bool = False) -> None:
        self.column = column
        self.train_on_validation = train_on_validation

    def split(self, data: Interactions) -> Split:
        """Returns the parts, without the column."""
        says = np.asarray(data[self.column], object)
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
        if self.train_on_validation:
            says = np.where(says == "validation", "train", says)
        rest = {name: column for name, column in data.columns.items() if name != self.column}
        data = data._with_columns(rest)
        return Split(*(data.take(says == part) for part in _PARTS))
