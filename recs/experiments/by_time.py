"""Temporal split: the latest interactions are the test part."""

from __future__ import annotations

from recs.data import splits
from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.experiments.splitter import Splitter


class ByTime(Splitter):
    """The latest interactions of all test; see `recs.data.splits.by_time`.

    Args:
        test_fraction: The share of interactions that test. Defaults to `0.1`.
        validation_fraction: The share before those. Defaults to `0.0`.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.experiments import ByTime
    >>> log = Interactions({"user": [1, 2], "item": [5, 6], "timestamp": [20, 10]})
    >>> ByTime(0.5).split(log).test.item
    array([5])

    ```
    """

    def __init__(self, test_fraction: float = 0.1, validation_fraction: float = 0.0) -> None:
        self.test_fraction = test_fraction
        self.validation_fraction = validation_fraction

    def split(self, data: Interactions) -> Split:
        """Returns the parts."""
        validation = self.validation_fraction
        return splits.by_time(data, self.test_fraction, validation_fraction=validation)
