"""Data that has a test part of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from recs.data.splits import Split
from recs.errors import explain
from recs.experiments.splitter import Splitter


class OwnTest(Splitter):
    """Leaves the test part as it came, and draws a validation part from the training part.

    For sources whose data comes divided, such as `LibSVMFiles`.

    Args:
        validation_fraction: float in [0, 1): the share of the training lists that validates.
            Defaults to `0.0`.
        seed: Another seed, another validation part. Defaults to `0`.

    Raises:
        ValueError: when the data does not come divided, or the fraction is out of range.

    Example:
    ```python
    >>> from recs.experiments import LibSVMFiles, OwnTest
    >>> parts = OwnTest(validation_fraction=0.2).split(LibSVMFiles().load())
    >>> len(parts.train), len(parts.validation), len(parts.test)
    (161, 40, 50)

    ```
    """

    def __init__(self, validation_fraction: float = 0.0, seed: int = 0) -> None:
        if not 0.0 <= validation_fraction < 1.0:
            received = f"validation_fraction={validation_fraction}"
            raise self._bad("`validation_fraction`", "must lie in [0, 1)", received)
        self.validation_fraction = validation_fraction
        self.seed = seed

    def split(self, data: Any) -> Split[Any]:
        """Returns the parts.

        Args:
            data: what the source loaded, a `Split`.
        """
        if not isinstance(data, Split):
            raise self._bad("The data", "must come with a test part of its own", repr(data))
        rows = len(data.train)
        # RandomState's stream is frozen by NumPy.
        drawn = np.random.RandomState(self.seed).permutation(rows)
        held_out = np.zeros(rows, bool)
        held_out[drawn[: round(rows * self.validation_fraction)]] = True
        return Split(data.train.take(~held_out), data.test, data.train.take(held_out))

    @staticmethod
    def _bad(what: str, rule: str, received: str) -> ValueError:
        remedy = "AtRandom, ByTime and LastOut divide data that comes in one."
        return ValueError(
            explain(what, rule=rule, received=received, where="OwnTest", remedy=remedy)
        )
