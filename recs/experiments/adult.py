"""The census data in a configuration."""

from __future__ import annotations

from recs.data import adult
from recs.data.splits import Split
from recs.experiments.source import Source


class Adult(Source):
    """Persons of the census of 1994, divided; see `recs.data.adult`.

    Args:
        seed: Another seed, another division into training and test. Defaults to `0`.

    Example:
    ```python
    >>> from recs.experiments import Adult
    >>> len(Adult().load().test)
    16281

    ```
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def load(self) -> Split:
        """Returns the training and the test part."""
        return adult.load(seed=self.seed)
