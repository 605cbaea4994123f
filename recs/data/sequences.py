"""User histories: sliding windows over interactions in time order.

Within a user, interactions are ranked by time, then item, then rating, as `splits` ranks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.data.window_column import WindowColumn
from recs.errors import explain


def windows(
    data: Interactions,
    length: int = 50,
    *,
    before: Sequence[Interactions] = (),
    stride: int = 1,
    min_length: int = 1,
    column: str = "history",
) -> Interactions:
    """Returns interactions with what their user did before them: history -> next item.

    A row is an interaction, with its own columns, and in `column` the last `length` items of the
    same user that come before it, the oldest first. Rows keep the order they have in `data`;
    `to_dataset(shuffle=True)` shuffles them over all users. Histories are stretches of one array
    that all rows share, so that a log of a million takes about a second and no more memory for
    long windows than for short ones.

    A history holds nothing but rows of `data` and of `before`. So after a split nothing leaks:
    make the windows of a part with the parts that lie before it.

    - training: `windows(split.train, n)`
    - validation: `windows(split.validation, n, before=[split.train])`
    - test: `windows(split.test, n, before=[split.train, split.validation])`

    Args:
        data: interactions with a timestamp.
        length: int, positive: the most items of a history.
        before: further interactions, whose items stand in histories, and which have no rows of
            their own. Defaults to `()`.
        stride: int, positive: of each user's rows every how many-th is kept, the newest and back
            from it. A model that learns from every position of a window sees each interaction once
            with `stride=length`. Defaults to `1`: all.
        min_length: int: rows with fewer items before them are left out; 0 keeps each user's first.
            Defaults to `1`.
        column: the name of the column of histories. Defaults to `"history"`.

    Raises:
        ValueError: when there is no timestamp, a number is out of range, ids are strings in one
            part and numbers in another, or there is a column of that name.

    Example:
    ```python
    >>> from recs.data import Interactions, sequences
    >>> log = Interactions({"user": [1, 1, 2, 1], "item": [5, 6, 5, 7], "timestamp": [1, 2, 3, 4]})
    >>> rows = sequences.windows(log, length=2)
    >>> rows.item, rows["history"].to_list()
    (array([6, 7]), [[5], [5, 6]])
    >>> next(iter(rows.to_dataset(["history", "item"], batch_size=2)))["history"].to_list()
    [[5], [5, 6]]

    ```
    """
    where = "sequences.windows"
    for name, value, least in (
        ("length", length, 1),
        ("stride", stride, 1),
        ("min_length", min_length, 0),
    ):
        _check_number(name, value, least, where)
    if column in data:
        raise ValueError(
            explain(
                "`column`",
                rule="must not be a column of the interactions",
                received=f"column={column!r}",
                where=where,
            )
        )
    line = _timeline([*before, data], where)
    rows = len(data)
    own = line.order >= len(line.order) - rows  # `data` comes last among the parts.
    lengths = np.minimum(line.rank, length)
    kept = (_from_the_end(line, own) % stride == 0) & (lengths >= min_length) & own
    places = np.flatnonzero(kept)
    row = line.order[places] - (len(line.order) - rows)
    places = places[np.argsort(row)]
    history = WindowColumn(line.items, places - lengths[places], lengths[places])
    chosen = data.take(np.sort(row))
    return chosen._with_columns({**chosen.columns, column: history})


def latest(
    parts: Interactions | Sequence[Interactions], users: np.ndarray | Sequence, length: int = 50
) -> WindowColumn:
    """Returns the last items of some users: what a model is asked with about what comes next.

    Args:
        parts: interactions with a timestamp, or several parts of them.
        users: ids, repeated or unknown ones too; an unknown user has an empty history.
        length: int, positive: the most items of a history.

    Shapes: `users (n,)` -> `n` rows, the oldest item first.

    Raises:
        ValueError: when there is no timestamp, or `length` is not positive.

    Example:
    ```python
    >>> from recs.data import Interactions, sequences
    >>> log = Interactions({"user": [1, 1, 2, 1], "item": [5, 6, 5, 7], "timestamp": [1, 2, 3, 4]})
    >>> sequences.latest(log, users=[2, 1, 9], length=2).to_list()
    [[5], [6, 7], []]

    ```
    """
    where = "sequences.latest"
    _check_number("length", length, 1, where)
    line = _timeline([parts] if isinstance(parts, Interactions) else list(parts), where)
    last = np.flatnonzero(line.last)
    place = dict(zip(line.users[last].tolist(), last.tolist(), strict=True))
    listed = np.asarray(users).tolist()
    ends = np.fromiter((place.get(user, -1) for user in listed), np.int64, len(listed)) + 1
    known = np.minimum(line.rank[ends - 1] + 1, length) if len(line.rank) else 0
    lengths = np.where(ends > 0, known, 0)
    return WindowColumn(line.items, ends - lengths, lengths)


class _Timeline(NamedTuple):
    """Interactions of all parts, users together, each in the order of time."""

    order: np.ndarray  # The rows of the parts one after the other, in this order.
    users: np.ndarray
    items: np.ndarray
    rank: np.ndarray  # How many the user has before.
    last: np.ndarray  # Whether the user has none after.


def _timeline(parts: Sequence[Interactions], where: str) -> _Timeline:
    for part in parts:
        if part.timestamp is None:
            raise ValueError(
                explain(
                    "The interactions",
                    rule="must have a timestamp to be put in order",
                    received=f"roles={dict(part.roles or {})!r}",
                    where=where,
                    remedy="Name the column when you read them.",
                )
            )
    if len({(part.user.dtype, part.item.dtype) for part in parts}) > 1:
        raise ValueError(
            explain(
                "Ids",
                rule="must be of one kind in all parts, strings or numbers",
                received=", ".join(f"{p.user.dtype} and {p.item.dtype}" for p in parts),
                where=where,
                remedy="Bring them into one with `with_id_type`.",
            )
        )
    users = np.concatenate([part.user for part in parts])
    items = np.concatenate([part.item for part in parts])
    user = _sortable(users)
    keys = [_sortable(items), np.concatenate([part.timestamp for part in parts]), user]
    if all(part.rating is not None for part in parts):
        keys.insert(0, np.concatenate([part.rating for part in parts]))
    order = np.lexsort(keys)  # The last key counts most.
    user = user[order]
    first = np.ones(len(user), bool)
    first[1:] = user[1:] != user[:-1]
    starts = np.flatnonzero(first)
    places = np.arange(len(user))
    counts = np.diff(np.append(starts, len(user)))
    last = np.roll(first, -1)
    return _Timeline(order, users[order], items[order], places - np.repeat(starts, counts), last)


def _sortable(ids: np.ndarray) -> np.ndarray:
    """Returns numbers in the order of the ids: those themselves, or the ranks of strings."""
    return codes(ids)[0] if ids.dtype == object else ids


def _from_the_end(line: _Timeline, own: np.ndarray) -> np.ndarray:
    """Returns for each place of a timeline how many own rows the user has after it."""
    counted = np.cumsum(own)
    ends = np.flatnonzero(line.last)
    users = np.cumsum(line.rank == 0) - 1
    return counted[ends][users] - counted


def _check_number(name: str, value: int, least: int, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(
            explain(
                f"`{name}`",
                rule=f"must be an integer of at least {least}",
                received=f"{name}={value!r}",
                where=where,
            )
        )
