"""Random interactions test."""

from __future__ import annotations

from recs.data import splits
from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.experiments.splitter import Splitter


class AtRandom(Splitter):
    """Random interactions test; see `recs.data.splits.at_random`.

    Args:
        test_fraction: The share of interactions that test. Defaults to `0.1`.
        validation_fraction: The share that validates. Defaults to `0.0`.
        seed: Another seed, another split. Defaults to `0`.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.experiments import AtRandom
    >>> log = Interactions({"user": [1, 2], "item": [5, 5]})
    >>> AtRandom(0.5).split(log).test.item
    array([5])

    ```
    """

    def __init__(
        self, test_fraction: float = 0.1, validation_fraction: float = 0.0, seed: int = 0
    ) -> None:
        self.test_fraction = test_fraction
        self.validation_fraction = validation_fraction
        self.seed = seed

    def split(self, data: Interactions) -> Split:
        """Returns the parts."""
        validation = self.validation_fraction
        return splits.at_random(data, self.test_fraction, self.seed, validation_fraction=validation)
