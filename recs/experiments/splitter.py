"""Base class of an experiment's splits."""

from __future__ import annotations

import abc

from recs.data.interactions import Interactions
from recs.data.splits import Split


class Splitter(abc.ABC):
    """A way to split, with its settings: what a configuration can name.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.experiments import LastOut
    >>> log = Interactions({"user": [1, 1], "item": [5, 6], "timestamp": [20, 10]})
    >>> LastOut().split(log).test.item
    array([5])

    ```
    """

    @abc.abstractmethod
    def split(self, data: Interactions) -> Split:
        """Returns the parts."""
