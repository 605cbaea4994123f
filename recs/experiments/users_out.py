"""Splits by user: test users are unseen in training."""

from __future__ import annotations

from recs.data import splits
from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.experiments.splitter import Splitter


class UsersOut(Splitter):
    """Splits by user: test users are unseen in training; see `recs.data.splits.users_out`.

    Args:
        test_fraction: The share of users that test. Defaults to `0.2`.
        validation_fraction: The share that validates. Defaults to `0.0`.
        seed: Another seed, another split. Defaults to `0`.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.experiments import UsersOut
    >>> log = Interactions({"user": [1, 1, 2, 2], "item": [5, 6, 5, 6]})
    >>> UsersOut(0.5).split(log).test.user
    array([1, 1])

    ```
    """

    def __init__(
        self, test_fraction: float = 0.2, validation_fraction: float = 0.0, seed: int = 0
    ) -> None:
        self.test_fraction = test_fraction
        self.validation_fraction = validation_fraction
        self.seed = seed

    def split(self, data: Interactions) -> Split:
        """Returns the parts."""
        validation = self.validation_fraction
        return splits.users_out(data, self.test_fraction, self.seed, validation_fraction=validation)
