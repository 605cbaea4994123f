"""Figures of lists of recommendations, from which places of them are hits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recs.evaluation.scores import Figures


@dataclass(frozen=True)
class Lists:
    """Recommendations of all users, and how good each place is.

    Attributes:
        best: `(users, longest)` int64 row numbers of items, -1 where a list has ended.
        hits: `(users, longest)` bool.
        relevant: `(users,)` how many items each user held out, at least 1.
        items: How many items the catalogue has.
        counts: `(items,)` how often each item was taken in training, or None.
    """

    best: np.ndarray
    hits: np.ndarray
    relevant: np.ndarray
    items: int
    counts: np.ndarray | None


def recall(lists: Lists, k: int) -> float:
    """Returns the mean share of a user's held-out items that are among the first `k`."""
    return float((lists.hits[:, :k].sum(axis=1) / lists.relevant).mean())


def ndcg(lists: Lists, k: int) -> float:
    """Returns the mean discounted gain of the first `k`, over the best there could be."""
    hits = lists.hits[:, :k]
    discount = 1.0 / np.log2(np.arange(k) + 2.0)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    gained = hits @ discount[: hits.shape[1]]
    return float((gained / ideal[np.minimum(k, lists.relevant)]).mean())


def precision(lists: Lists, k: int) -> float:
    """Returns the mean share of the `k` places that have a held-out item."""
    return float((lists.hits[:, :k].sum(axis=1) / k).mean())


def hit_rate(lists: Lists, k: int) -> float:
    """Returns the share of users with a held-out item among the first `k`."""
    return float(lists.hits[:, :k].any(axis=1).mean())


def mrr(lists: Lists, k: int) -> float:
    """Returns the mean of one over the rank of the first hit, 0 without one."""
    hits = lists.hits[:, :k]
    rank = 1.0 + hits.argmax(axis=1) if hits.shape[1] else np.ones(len(hits))
    return float((hits.any(axis=1) / rank).mean())


def average_precision(lists: Lists, k: int) -> float:
    """Returns the mean over users of the precision at each hit, over `min(k, held out)`."""
    hits = lists.hits[:, :k]
    precision = np.cumsum(hits, axis=1) / (np.arange(hits.shape[1]) + 1.0)
    total = (precision * hits).sum(axis=1)
    return float((total / np.minimum(k, lists.relevant)).mean())


def coverage(lists: Lists, k: int) -> float:
    """Returns the share of the catalogue that is recommended to somebody."""
    shown = lists.best[:, :k]
    return len(np.unique(shown[shown >= 0])) / lists.items


def novelty(lists: Lists, k: int) -> float:
    """Returns the mean `-log2 p` of what is recommended, `p = (count + 1) / (all + items)`."""
    assert lists.counts is not None
    share = (lists.counts + 1.0) / (lists.counts.sum() + len(lists.counts))
    shown = lists.best[:, :k]
    shown = shown[shown >= 0]
    return float(-np.log2(share[shown]).mean()) if len(shown) else 0.0


FIGURES: dict[str, Callable[[Lists, int], float]] = {
    "recall": recall,
    "ndcg": ndcg,
    "precision": precision,
    "hit_rate": hit_rate,
    "mrr": mrr,
    "map": average_precision,
    "coverage": coverage,
    "novelty": novelty,
}


def figures(lists: Lists, names: Sequence[str], ks: Sequence[int]) -> Figures:
    """Returns each figure at each `k`, under `name@k`."""
    return Figures({f"{name}@{k}": FIGURES[name](lists, k) for k in ks for name in names})
