"""Judges models that recommend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recs.data.columns import take_rows
from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.errors import explain
from recs.evaluation import HeldOut, evaluate_top_k, popularity_vectors
from recs.evaluation.top_k import list_lengths
from recs.experiments.evaluation import Evaluation
from recs.experiments.report import Report


class RetrievalEvaluation(Evaluation):
    """Recall@k and NDCG@k over the full catalogue, beside popularity's, and some recommendations.

    The protocol is `recs.evaluation.HeldOut`'s: all users known to training, all items, training
    items masked, for the model and the baseline alike. When the test part is judged, validation
    interactions are masked as well: the user had them before.

    Args:
        ks: Lengths of the list, at most the number of items. Defaults to `None`: those of 10, 50
            and 100 that are.
        positive_from: Ratings of at least this are positive interactions; others are left out of
            training, test and popularity. Defaults to `None`: every interaction is positive,
            whatever its rating.
        show_users: For how many users recommendations are printed. Defaults to `3`.
        show_items: How many items each of them gets. Defaults to `10`.

    Raises:
        ValueError: when `positive_from` is given for data without ratings, or leaves none, or one
            of `ks` is above the number of items.

    Example:
    ```python
    >>> from recs.experiments import RetrievalEvaluation
    >>> RetrievalEvaluation(ks=[10], positive_from=4.0).ks
    (10,)

    ```
    """

    def __init__(
        self,
        ks: Sequence[int] | None = None,
        positive_from: float | None = None,
        show_users: int = 3,
        show_items: int = 10,
    ) -> None:
        self.ks = None if ks is None else tuple(ks)
        self.positive_from = positive_from
        self.show_users = show_users
        self.show_items = show_items

    def select(self, model: Any, data: Interactions) -> Interactions:
        """Returns the positive interactions, with the item features that the model reads."""
        if self.positive_from is not None:
            liked = None if data.rating is None else data.rating >= self.positive_from
            if liked is None or not liked.any():
                raise ValueError(
                    explain(
                        "`positive_from`",
                        rule="must leave some of the interactions' ratings",
                        received=f"positive_from={self.positive_from} for {data!r}",
                        where="RetrievalEvaluation",
                    )
                )
            data = data.take(liked)
        items = len(_known(data)) if data.items is None else len(data.items)
        # Before an hour of training and not after it.
        list_lengths(self.ks, items, "RetrievalEvaluation")
        wanted = [name for name in model.candidate_tower.features if name not in data]
        return data.with_item_features(*wanted) if wanted else data

    def columns(self, model: Any) -> list[str]:
        """Returns the columns of both towers."""
        return [*model.query_tower.columns, *model.candidate_tower.columns]

    def query(self, model: Any, parts: Sequence[Interactions], users: np.ndarray) -> Any:
        """Returns the ids, or with user features the columns of each user's first interaction."""
        return _users(model, parts[0], users)

    def before(self, model: Any, train: Interactions) -> None:
        """Gives the model the items' popularity."""
        model.set_popularity(train.item_counts())

    def after(self, model: Any, data: Interactions) -> None:
        """Indexes the catalogue."""
        model.index(data.items if data.items is not None else _known(data))

    def judge(self, model: Any, parts: Split, part: str) -> Report:
        """Returns Recall@k and NDCG@k of the model and of popularity."""
        held_out = _held_out(parts, part)
        users = self.query(model, _known_parts(parts, part), held_out.users)
        vectors = model.query_vectors(users), model.candidate_vectors(_items(parts, held_out))
        protocol = (
            f"{part}: {len(held_out.users):,} users, {len(held_out.relevant):,} interactions; all "
            f"{len(held_out.catalogue):,} items ranked, seen items excluded"
        )
        notes = []
        if held_out.unknown_users:
            notes.append(f"{held_out.unknown_users:,} users without training data are left out.")
        if held_out.unknown_items:
            notes.append(
                f"{held_out.unknown_items:,} held-out interactions are with items that training "
                "does not have; they count."
            )
        figures: dict[str, dict[str, float]] = {
            "model": evaluate_top_k(*vectors, held_out, self.ks, progress=self.progress),
            "popularity": evaluate_top_k(
                *popularity_vectors(parts.train, held_out),
                held_out,
                self.ks,
                progress=self.progress,
            ),
        }
        return Report(protocol, figures, tuple(notes))

    def samples(self, model: Any, parts: Split, part: str) -> str:
        """Returns recommendations for a few users, under items they rated best."""
        held_out = _held_out(parts, part)
        count = min(self.show_users, len(held_out.users))
        rows = np.linspace(0, len(held_out.users) - 1, count).astype(int)
        texts = [
            self._of_user(model, parts, part, held_out.users[row], held_out, row)
            for row in rows.tolist()
        ]
        return "\n\n".join(texts)

    def _of_user(
        self, model: Any, parts: Split, part: str, user: Any, held_out: HeldOut, row: int
    ) -> str:
        seen = held_out.catalogue[held_out.seen[held_out.seen[:, 0] == row, 1]]
        took = held_out.catalogue[held_out.relevant[held_out.relevant[:, 0] == row, 1]]
        known = _known_parts(parts, part)
        users = self.query(model, known, np.array([user], held_out.users.dtype))
        k = min(self.show_items, len(held_out.catalogue))
        answer = model.recommend(users, k=k, exclude=[seen.tolist()])
        liked = "; ".join(liked_titles(model, parts.train, user))
        lines = [f"User {user} liked: {liked}", "  recommended:"]
        for rank, item in enumerate(answer.ids[0].tolist(), start=1):
            title = item if answer.titles is None else answer.titles[0, rank - 1]
            hit = "   <- held out: the user did take it" if item in took.tolist() else ""
            lines.append(f"  {rank:3d}. {title or item}{hit}")
        return "\n".join(lines)


def liked_titles(model: Any, train: Interactions, user: Any, count: int = 3) -> list[str]:
    """Returns the titles, or ids, of the items that a user rated best, the latest first."""
    own = train.take(train.user == user)
    keys = [k for k in (own.timestamp, own.rating) if k is not None]
    order = np.lexsort(keys)[::-1] if keys else np.arange(len(own))
    items = own.item[order[:count]]
    titles = model.catalogue.titles_of(items).tolist()
    return [title or str(item) for title, item in zip(titles, items.tolist(), strict=True)]


def _known_parts(parts: Split, part: str) -> list[Interactions]:
    """Returns the parts that users had before the one that is judged by, training first."""
    validation = parts.validation
    return [parts.train, *([validation] if part == "test" and len(validation) else [])]


def _held_out(parts: Split, part: str) -> HeldOut:
    train, *others = _known_parts(parts, part)
    return HeldOut.of(train, getattr(parts, part), also_seen=others)


def _items(parts: Split, held_out: HeldOut) -> Any:
    """Returns the catalogue, with its features where there is a table of items."""
    items = parts.train.items
    return held_out.catalogue if items is None else items


def _known(data: Interactions) -> np.ndarray:
    return codes(data.item)[1]


def _users(model: Any, train: Interactions, users: np.ndarray) -> Any:
    """Returns the ids, or with user features the columns of each user's first interaction."""
    tower = model.query_tower
    if not tower.features:
        return users
    first: dict[Any, int] = {}
    for row, user in enumerate(train.user.tolist()):
        first.setdefault(user, row)
    rows = np.array([first[user] for user in users.tolist()])
    return {name: take_rows(train[name], rows) for name in tower.columns}
