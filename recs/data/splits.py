"""Train, validation and test: by time, by each user's last interactions, or at random.

Every split is disjoint and complete, keeps the rows of each part in the order they came in, and
depends on the interactions only, not on their order: rows are first ranked by time, user, item
and rating. Rows that agree in all four take the order they came in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.errors import explain

# Interactions, or lists to rank.
_Rows = TypeVar("_Rows")


@dataclass(frozen=True, eq=False)
class Split(Generic[_Rows]):
    """The parts of a split; `validation` has no rows unless a share was asked for it.

    Unpacks into the two parts that are always there: `train, test = by_time(data, 0.2)`.

    Args:
        train: what a model learns from.
        test: what it is judged by.
        validation: what its settings are chosen by, between the two in time where time decides.

    Example:
    ```python
    >>> from recs.data import Interactions, splits
    >>> log = Interactions({"user": [1, 1, 2], "item": [5, 6, 5], "timestamp": [30, 10, 20]})
    >>> train, test = splits.by_time(log, 1 / 3)
    >>> train.timestamp, test.timestamp
    (array([10, 20]), array([30]))

    ```
    """

    train: _Rows
    test: _Rows
    validation: _Rows

    def __iter__(self) -> Iterator[_Rows]:
        return iter((self.train, self.test))


def by_time(
    data: Interactions, test_fraction: float, *, validation_fraction: float = 0.0
) -> Split[Interactions]:
    """Splits at one moment for all: the past trains, the future tests.

    The honest split for a model that will serve: nothing of the test's time is seen in training.
    Users and items that appear only after the cut are unknown to the model, as they will be.
    Interactions of the very same time are ranked by user, item and rating.

    Args:
        data: interactions with a timestamp.
        test_fraction: float in [0, 1): the share of interactions, the latest, that test.
        validation_fraction: float in [0, 1): the share before those. Defaults to `0.0`.

    Raises:
        ValueError: when there is no timestamp, or a fraction is out of range.

    Example:
    ```python
    >>> from recs.data import Interactions, splits
    >>> log = Interactions({"user": [1, 2, 3, 4], "item": [5, 5, 6, 6], "timestamp": [4, 3, 2, 1]})
    >>> split = splits.by_time(log, 0.25, validation_fraction=0.25)
    >>> split.train.user, split.validation.user, split.test.user
    (array([3, 4]), array([2]), array([1]))

    ```
    """
    _need_timestamp(data, "splits.by_time")
    sizes = _sizes(len(data), test_fraction, validation_fraction, "splits.by_time")
    return _cut(data, _ranked(data), *sizes)


def at_random(
    data: Interactions,
    test_fraction: float,
    seed: int = 0,
    *,
    validation_fraction: float = 0.0,
) -> Split[Interactions]:
    """Splits interactions at random, regardless of user or time.

    Close to what rating benchmarks do; it lets a model see the future of the users it is tested
    on, so that figures are higher than a served model's.

    Args:
        data: interactions.
        test_fraction: float in [0, 1): the share of interactions that test.
        seed: int: the same seed and interactions give the same split. Defaults to `0`.
        validation_fraction: float in [0, 1): the share that validates. Defaults to `0.0`.

    Raises:
        ValueError: when a fraction is out of range.

    Example:
    ```python
    >>> from recs.data import Interactions, splits
    >>> log = Interactions({"user": list(range(10)), "item": [5] * 10})
    >>> train, test = splits.at_random(log, 0.2, seed=1)
    >>> len(train), len(test)
    (8, 2)

    ```
    """
    sizes = _sizes(len(data), test_fraction, validation_fraction, "splits.at_random")
    # RandomState's stream is frozen by NumPy; that of default_rng may change between releases.
    drawn = np.random.RandomState(seed).permutation(len(data))
    return _cut(data, _ranked(data)[drawn], *sizes)


def leave_last_out(data: Interactions, n: int = 1, *, validation_n: int = 0) -> Split[Interactions]:
    """Splits off each user's last interactions.

    The usual split for models of sequences: every user is known, and the next items are asked
    for. A user with too few interactions to leave one for training stays in training entirely.

    Args:
        data: interactions with a timestamp.
        n: int, positive: how many of each user's interactions, the latest, test. Defaults to `1`.
        validation_n: int: how many before those validate. Defaults to `0`.

    Raises:
        ValueError: when there is no timestamp, or a number is out of range.

    Example:
    ```python
    >>> from recs.data import Interactions, splits
    >>> log = Interactions({"user": [1, 1, 1, 2], "item": [5, 6, 7, 5], "timestamp": [1, 3, 2, 1]})
    >>> train, test = splits.leave_last_out(log)
    >>> test.item, train.item
    (array([6]), array([5, 7, 5]))

    ```
    """
    where = "splits.leave_last_out"
    _need_timestamp(data, where)
    if n < 1 or validation_n < 0:
        raise ValueError(
            explain(
                "`n` and `validation_n`",
                rule="must be at least 1 and at least 0",
                received=f"n={n}, validation_n={validation_n}",
                where=where,
            )
        )
    user = codes(data.user)[0]
    ranked = _ranked(data)
    ranked = ranked[np.argsort(user[ranked], kind="stable")]  # Users together, each by time.
    total = np.bincount(user) if len(user) else user
    ends = np.cumsum(total)
    from_end = ends[user[ranked]] - 1 - np.arange(len(ranked))  # 0 for a user's last.
    enough = total[user[ranked]] > n + validation_n
    test = ranked[enough & (from_end < n)]
    validation = ranked[enough & (from_end >= n) & (from_end < n + validation_n)]
    return _split(data, test, validation)


def users_out(
    data: Interactions, test_fraction: float, seed: int = 0, *, validation_fraction: float = 0.0
) -> Split[Interactions]:
    """Splits off users with all that they did: training has never met those that test.

    Args:
        data: interactions.
        test_fraction: float in [0, 1): the share of users that test.
        seed: int: the same seed and users give the same split. Defaults to `0`.
        validation_fraction: float in [0, 1): the share of users that validates. Defaults to `0.0`.

    Raises:
        ValueError: when a fraction is out of range.

    Example:
    ```python
    >>> from recs.data import Interactions, splits
    >>> log = Interactions({"user": [1, 2, 2, 3], "item": [5, 5, 6, 6]})
    >>> train, test = splits.users_out(log, 1 / 3, seed=1)
    >>> sorted({*train.user.tolist()} & {*test.user.tolist()})
    []

    ```
    """
    users, user = np.unique(data.user, return_inverse=True)  # sorted, in whatever order they came
    sizes = _sizes(len(users), test_fraction, validation_fraction, "splits.users_out")
    # RandomState's stream is frozen by NumPy; that of default_rng may change between releases.
    place = np.argsort(np.random.RandomState(seed).permutation(len(users)))[user]
    from_end = len(users) - 1 - place
    test, validation = sizes
    held_out = (from_end >= test) & (from_end < test + validation)
    return _split(data, np.flatnonzero(from_end < test), np.flatnonzero(held_out))


def _ranked(data: Interactions) -> np.ndarray:
    """Returns the rows in the order of time, user, item and rating."""
    keys = [codes(data.item)[0], codes(data.user)[0]]
    if data.rating is not None:
        keys.insert(0, data.rating)
    if data.timestamp is not None:
        keys.append(data.timestamp)
    return np.lexsort(keys)  # The last key counts most.


def _sizes(rows: int, test: float, validation: float, where: str) -> tuple[int, int]:
    if not (0.0 <= test < 1.0 and 0.0 <= validation < 1.0 and test + validation < 1.0):
        raise ValueError(
            explain(
                "`test_fraction` and `validation_fraction`",
                rule="must each lie in [0, 1) and leave something to train on",
                received=f"test_fraction={test}, validation_fraction={validation}",
                where=where,
            )
        )
    return round(rows * test), round(rows * validation)


def _cut(data: Interactions, order: np.ndarray, test: int, validation: int) -> Split[Interactions]:
    end = len(order) - test
    start = max(end - validation, 0)  # Two roundings can ask for one row too many.
    return _split(data, order[end:], order[start:end])


def _split(data: Interactions, test: np.ndarray, validation: np.ndarray) -> Split[Interactions]:
    part = np.zeros(len(data), np.int8)
    part[test], part[validation] = 1, 2
    return Split(*(data.take(part == number) for number in range(3)))


def _need_timestamp(data: Interactions, where: str) -> None:
    if data.timestamp is None:
        raise ValueError(
            explain(
                "The interactions",
                rule="must have a timestamp to be split by time",
                received=f"roles={dict(data.roles or {})!r}",
                where=where,
                remedy="Name the column when you read them, or use splits.at_random.",
            )
        )
