"""Each user's last interactions test."""

from __future__ import annotations

from recs.data import splits
from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.experiments.splitter import Splitter


class LastOut(Splitter):
    """Each user's last interactions test; see `recs.data.splits.leave_last_out`.

    Args:
        n: How many of each user's interactions test. Defaults to `1`.
        validation_n: How many before those validate. Defaults to `0`.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.experiments import LastOut
    >>> log = Interactions({"user": [1, 1], "item": [5, 6], "timestamp": [20, 10]})
    >>> LastOut().split(log).test.item
    array([5])

    ```
    """

    def __init__(self, n: int = 1, validation_n: int = 0) -> None:
        self.n = n
        self.validation_n = validation_n

    def split(self, data: Interactions) -> Split:
        """Returns the parts."""
        return splits.leave_last_out(data, self.n, validation_n=self.validation_n)
