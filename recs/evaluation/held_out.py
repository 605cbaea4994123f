"""Held-out items per user, and seen items to exclude."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.errors import explain


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The users of a test, the catalogue, and as row numbers of the two who held out and saw what.

    The protocol, the same for every model and every baseline:

    - **Users**: all with at least one held-out item and at least one training interaction. A user
      the model has never met is not counted, in `unknown_users` only.
    - **Catalogue**: every item of `catalogue`, those without a training interaction too. A
      held-out item that training does not have stays in the test: it counts as missed unless the
      model finds it. How many there are is in `unknown_items`.
    - **Seen**: a user's training items are taken out of the ranking. A held-out item that is also
      among them could never be found and is not asked for.

    Make it with `HeldOut.of`.

    Args:
        users: `(users,)` ids.
        catalogue: `(items,)` ids, each once.
        relevant: `(pairs, 2)` int64: user row and item row of each held-out pair, each once.
        seen: `(pairs, 2)` int64: the same of the pairs not to be shown, each once.
        unknown_users: int: users with held-out items and no training interaction, left out.
        unknown_items: int: held-out pairs whose item has no training interaction.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.evaluation import HeldOut
    >>> train = Interactions({"user": ["ann", "bob"], "item": [7, 9]})
    >>> test = Interactions({"user": ["ann", "eve"], "item": [9, 9]})
    >>> held_out = HeldOut.of(train, test)
    >>> held_out.users, held_out.catalogue, held_out.relevant, held_out.unknown_users
    (array(['ann'], dtype=object), array([7, 9]), array([[0, 1]]), 1)

    ```
    """

    users: np.ndarray
    catalogue: np.ndarray
    relevant: np.ndarray
    seen: np.ndarray
    unknown_users: int
    unknown_items: int

    @classmethod
    def of(
        cls,
        train: Interactions,
        test: Interactions,
        catalogue: np.ndarray | None = None,
        also_seen: Sequence[Interactions] = (),
    ) -> HeldOut:
        """Returns the protocol's view of a split.

        Args:
            train: what the model has learnt from.
            test: what is held out.
            catalogue: `(items,)` ids to rank, each once. Defaults to `None`: the items table of
                `train`, or the items of all parts where there is none.
            also_seen: further parts that the users had before the test, such as the validation
                part: taken out of the ranking too. Defaults to `()`.

        Raises:
            ValueError: when nothing is left to judge by, an item is not in the catalogue, or the
                catalogue is not `(items,)` ids, each once.
        """
        if catalogue is None:
            catalogue = _catalogue(train, test, *also_seen)
        catalogue = np.asarray(catalogue)
        _check_catalogue(catalogue)
        known = set(train.user.tolist())
        users = codes(test.user)[1]
        kept = np.array([user in known for user in users.tolist()], dtype=bool)
        unknown_users = int((~kept).sum())
        users = users[kept]
        parts = [_pairs(part, users, catalogue) for part in (train, *also_seen)]
        seen = np.unique(np.concatenate(parts), axis=0)
        relevant = _pairs(test, users, catalogue)
        width = len(catalogue)
        again = np.isin(relevant @ [width, 1], seen @ [width, 1])
        relevant = relevant[~again]
        if not len(relevant):
            raise ValueError(
                explain(
                    "The held-out interactions",
                    rule="must have a user who is in training, with an item that is new to them",
                    received=f"{len(test)} held-out rows, {unknown_users} users unknown",
                    where="recs.evaluation",
                    remedy="Hold out more, or split by each user's last interactions.",
                )
            )
        asked = np.unique(relevant[:, 0])
        row = np.full(len(users), -1)
        row[asked] = np.arange(len(asked))
        relevant[:, 0] = row[relevant[:, 0]]
        seen = seen[row[seen[:, 0]] >= 0]
        seen[:, 0] = row[seen[:, 0]]
        trained = np.isin(catalogue, codes(train.item)[1])
        unknown_items = int((~trained[relevant[:, 1]]).sum())
        return cls(users[asked], catalogue, relevant, seen, unknown_users, unknown_items)


def _catalogue(train: Interactions, *others: Interactions) -> np.ndarray:
    if train.items is not None:
        return train.items.item
    return codes(np.concatenate([part.item for part in (train, *others)]))[1]


def _check_catalogue(catalogue: np.ndarray) -> None:
    """Raises unless the catalogue is ids, each once: of two rows only one could be masked."""
    received, remedy = f"shape {catalogue.shape}", ""
    if catalogue.ndim == 1:
        ids, counts = np.unique(catalogue, return_counts=True)
        if (counts == 1).all():
            return
        received = f"{int((counts - 1).sum())} repetitions, such as of {ids[np.argmax(counts)]!r}"
        remedy = "Pass `np.unique(catalogue)`, and vectors in its order."
    raise ValueError(
        explain(
            "`catalogue`",
            rule="must be `(items,)` ids, each once",
            received=received,
            where="recs.evaluation.HeldOut.of",
            remedy=remedy,
        )
    )


def _pairs(data: Interactions, users: np.ndarray, catalogue: np.ndarray) -> np.ndarray:
    """Returns the distinct pairs of row numbers, sorted, of those users' interactions."""
    row = {user: number for number, user in enumerate(users.tolist())}
    column = {item: number for number, item in enumerate(catalogue.tolist())}
    rows = np.fromiter((row.get(user, -1) for user in data.user.tolist()), np.int64, len(data))
    columns = np.fromiter((column.get(i, -1) for i in data.item.tolist()), np.int64, len(data))
    if (columns < 0).any():
        raise ValueError(
            explain(
                "Every item of the interactions",
                rule=f"must be in the catalogue of {len(catalogue)} items",
                received=f"{data.item[int(np.argmax(columns < 0))]!r}, which is not",
                where="recs.evaluation",
            )
        )
    chosen = rows >= 0
    pairs = np.stack([rows[chosen], columns[chosen]], axis=1)
    return np.unique(pairs, axis=0)
