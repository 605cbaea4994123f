"""Recall, NDCG and others of a ranking of the full catalogue, a chunk of users at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from recs.errors import explain, warn_of_nonfinite_scores
from recs.evaluation.held_out import HeldOut
from recs.evaluation.scores import Figures, finite_or_lowest
from recs.evaluation.top_k_figures import FIGURES, Lists, figures

# Scores held at once, 256 MB in float64: users by items would be 4 TB for a million of each.
_SCORES_AT_ONCE = 32 * 1024 * 1024
WHERE = "recs.evaluation"


def evaluate_top_k(
    user_vectors: np.ndarray,
    item_vectors: np.ndarray,
    held_out: HeldOut,
    ks: Sequence[int] | None = None,
    metrics: Sequence[str] = ("recall", "ndcg"),
    allowed: np.ndarray | None = None,
    item_counts: Mapping[Any, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Figures:
    """Returns figures of the lists of `k`, such as Recall@k and NDCG@k, with training items masked.

    Of a user with held-out items `R`, let `hit_r` be 1 when the item at rank `r = 1, 2, ...` of the
    whole catalogue without their training items is in `R`, and 0 otherwise. Then

        recall@k = sum_{r<=k} hit_r / |R|
        ndcg@k   = sum_{r<=k} hit_r / log2(r + 1)  /  sum_{r<=min(k, |R|)} 1 / log2(r + 1)

        precision@k = sum_{r<=k} hit_r / k
        hit_rate@k  = 1 if there is an r <= k with hit_r, else 0
        mrr@k    = 1 / (the first r <= k with hit_r), 0 without one
        map@k    = sum_{r<=k} hit_r * (sum_{s<=r} hit_s / r)  /  min(k, |R|)

    and the figures are the means over all users of `held_out`. `coverage@k` is the share of the
    catalogue that is in somebody's list, and `novelty@k` the mean of `-log2 p_i` over all places of
    all lists, with `p_i = (count_i + 1) / (all counts + items)`: in bits, larger for lists of rarer
    items. Recall is divided by `|R|`, not by
    `min(k, |R|)`: a user with more than `k` held-out items cannot reach 1. Scores are dot products
    summed in float64 and rounded to float32, so that items with equal vectors tie on every
    processor. Of equal scores the held-out items rank last, so that a model that scores all alike
    gets no credit for the catalogue's order; the others rank by id, so that no figure depends on
    that order. A score that is NaN or infinite ranks last, with a
    `recs.errors.NonFiniteScoresWarning`; how many there were, those of masked items not counted, is
    the attribute `nonfinite_scores` of the result.

    Args:
        user_vectors: `(users, dim)`, in the order of `held_out.users`.
        item_vectors: `(items, dim)`, in the order of `held_out.catalogue`.
        held_out: what the ranking is judged by.
        ks: lengths of the list, at most the number of items. Defaults to `None`: those of 10, 50
            and 100 that are, or 1 where there are fewer than 10 items.
        metrics: of `"recall"`, `"ndcg"`, `"precision"`, `"hit_rate"`, `"mrr"`, `"map"`,
            `"coverage"`, `"novelty"`. Defaults to the first two.
        allowed: `(pairs, 2)` row numbers of user and item, sorted by user: only these items are
            ranked for each user, less those seen. Defaults to `None`: the whole catalogue.
        item_counts: how often each item was taken in training, as `train.item_counts()` gives it,
            for novelty. Defaults to `None`.
        progress: called with the number of users ranked so far and of all, after each chunk.
            Defaults to `None`.

    Shapes: `(users, dim)`, `(items, dim)` -> a dict of `{metric}@{k}` for each of both.

    Raises:
        ValueError: when the vectors are not one per user and one per catalogue item, of one width
            and numeric; when `ks` are no positive integers or above the number of items, where
            every list is the whole catalogue and recall says nothing; when a metric is not known or
            lacks counts.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.data import Interactions
    >>> from recs.evaluation import HeldOut, evaluate_top_k
    >>> train = Interactions({"user": [1, 2, 2], "item": [5, 6, 7]})
    >>> held_out = HeldOut.of(train, Interactions({"user": [1], "item": [7]}))
    >>> scores = np.array([[9.0], [3.0], [2.0]])  # of items 5 (seen), 6 and 7
    >>> evaluate_top_k(np.ones((1, 1)), scores, held_out, ks=(1, 2))
    {'recall@1': 0.0, 'ndcg@1': 0.0, 'recall@2': 1.0, 'ndcg@2': 0.6309297535714575}

    ```
    """
    check_metrics(metrics, item_counts)
    ks = list_lengths(ks, len(held_out.catalogue))
    users, items = _vectors(user_vectors, item_vectors)
    for what, vectors, ids in (
        ("user_vectors", users, held_out.users),
        ("item_vectors", items, held_out.catalogue),
    ):
        if len(vectors) != len(ids):
            part = "users" if what == "user_vectors" else "catalogue"
            rule = f"must have a row for each of the {len(ids)} entries of `held_out.{part}`"
            raise _bad(f"`{what}`", rule, f"shape {vectors.shape}")
    # In the order of ids, so that nothing depends on the catalogue's.
    by_id = np.argsort(held_out.catalogue, kind="stable")
    row = np.empty(len(by_id), np.int64)
    row[by_id] = np.arange(len(by_id))
    relevant = _renumbered(held_out.relevant, row)
    rank = _Ranking(
        users,
        items[by_id],
        _renumbered(held_out.seen, row),
        None if allowed is None else _renumbered(_pairs("`allowed`", allowed), row),
        relevant,
    )
    best = rank.best(max(ks), progress)
    width = len(by_id)
    # A pair as one number, so that membership is one sorted search for all users.
    wanted = np.sort(relevant @ np.array([width, 1]))
    pairs = np.arange(len(users))[:, None] * width + best
    found = np.searchsorted(wanted, pairs)
    hits = (best >= 0) & (wanted[np.minimum(found, len(wanted) - 1)] == pairs)
    counts = None
    if item_counts is not None:
        taken = [item_counts.get(item, 0) for item in held_out.catalogue[by_id].tolist()]
        counts = np.array(taken, np.float64)
    of_user = np.bincount(relevant[:, 0], minlength=len(users))
    result = figures(Lists(best, hits, of_user, width, counts), metrics, ks)
    result.nonfinite_scores = rank.nonfinite
    warn_of_nonfinite_scores(rank.nonfinite, "recs.evaluation.evaluate_top_k")
    return result


def list_lengths(ks: Sequence[int] | None, items: int, where: str = WHERE) -> tuple[int, ...]:
    """Returns checked lengths of lists, or those that are usual for so many items.

    Args:
        ks: positive integers, at most `items`; None for those of 10, 50 and 100 that are.
        items: the number of items to rank.
        where: who asks, for error messages.
    """
    if ks is None:
        return tuple(k for k in (10, 50, 100) if k <= items) or (1,)
    if not ks or any(isinstance(k, bool) or not isinstance(k, int) or k < 1 for k in ks):
        raise _bad("`ks`", "must be positive integers", f"ks={ks!r}", where=where)
    if max(ks) > items:
        rule = f"must be at most {items}, the number of items to rank"
        remedy = "In a list of the whole catalogue every item is found, whatever the model."
        raise _bad("`ks`", rule, f"ks={tuple(ks)!r}", remedy, where)
    return tuple(ks)


def recommend_top_k(
    user_vectors: np.ndarray,
    item_vectors: np.ndarray,
    seen: np.ndarray,
    k: int,
    allowed: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
    behind: np.ndarray | None = None,
) -> np.ndarray:
    """Returns for each user the row numbers of the `k` best items they have not seen, best first.

    Scores are computed and sorted for as many users at a time as fit in 256 MB. Equal ones rank by
    row; one that is NaN or infinite ranks last, with a `recs.errors.NonFiniteScoresWarning`.

    Args:
        user_vectors: `(users, dim)`.
        item_vectors: `(items, dim)`.
        seen: `(pairs, 2)` row numbers of user and item that are not to be shown, sorted by user.
        k: the length of the list, cut to the number of items.
        allowed: `(pairs, 2)` row numbers of user and item, sorted by user: nothing else is shown to
            a user. Defaults to `None`: every item may be.
        progress: called with the number of users ranked so far and of all, after each chunk.
            Defaults to `None`.
        behind: `(pairs, 2)` row numbers of user and item, sorted by user, that rank behind the
            user's other items of the same score: held-out items, which must not gain by the order
            of rows. Defaults to `None`.

    Shapes: -> `(users, min(k, items))` int64; -1 where a user has seen everything else.

    Raises:
        ValueError: when the vectors are no numeric matrices of one width, `k` is no positive
            integer, or pairs are not sorted by user or not of these users and items.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.evaluation import recommend_top_k
    >>> items = np.array([[3.0], [2.0], [1.0]])
    >>> recommend_top_k(np.array([[1.0], [-1.0]]), items, seen=np.array([[0, 0]]), k=2)
    array([[1, 2],
           [2, 1]])

    ```
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise _bad("`k`", "must be a positive integer", f"k={k!r}")
    rank = _Ranking(
        *_vectors(user_vectors, item_vectors),
        _pairs("`seen`", seen),
        None if allowed is None else _pairs("`allowed`", allowed),
        None if behind is None else _pairs("`behind`", behind),
    )
    best = rank.best(int(k), progress)
    warn_of_nonfinite_scores(rank.nonfinite, "recs.evaluation.recommend_top_k")
    return best


class _Ranking:
    """Ranks all items for each user, a chunk of users at a time.

    Attributes:
        nonfinite: How many scores of items that are ranked were not finite.
    """

    def __init__(
        self,
        users: np.ndarray,
        items: np.ndarray,
        seen: np.ndarray,
        allowed: np.ndarray | None,
        behind: np.ndarray | None,
    ) -> None:
        self.users, self.items = users, items
        self._exact_items = items.astype(np.float64)
        self.seen, self.allowed, self.behind = seen, allowed, behind
        self.nonfinite = 0
        for what, pairs in (("seen", seen), ("allowed", allowed), ("behind", behind)):
            shape = np.array([len(users), len(items)])
            if pairs is not None and ((pairs < 0) | (pairs >= shape)).any():
                wrong = pairs[((pairs < 0) | (pairs >= shape)).any(axis=1)][0].tolist()
                rule = f"must be rows of the {shape[0]} users and of the {shape[1]} items"
                raise _bad(f"`{what}`", rule, f"the pair {wrong}")

    def _scores(self, start: int, end: int) -> np.ndarray:
        """Returns scores of some users, summed in float64 and rounded to float32.

        A product in float32 rounds equal items differently by where they stand, and differently on
        every processor: rounded from float64 they tie.
        """
        exact = self.users[start:end].astype(np.float64) @ self._exact_items.T
        return exact.astype(np.float32)

    def best(self, k: int, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
        """Returns `(users, min(k, items))` row numbers of items, -1 where there are no more."""
        k = min(k, len(self.items))
        step = max(1, _SCORES_AT_ONCE // max(1, len(self.items)))
        parts = [np.zeros((0, k), np.int64)]
        for start in range(0, len(self.users), step):
            with np.errstate(over="ignore", invalid="ignore"):
                scores = self._scores(start, start + step)
            masked = _among(self.seen, start, scores.shape)
            if self.allowed is not None:
                masked |= ~_among(self.allowed, start, scores.shape)
            scores[masked] = 0.0
            scores, nonfinite = finite_or_lowest(scores)
            self.nonfinite += nonfinite
            scores[masked] = -np.inf
            last = None
            if self.behind is not None:
                last = _among(self.behind, start, scores.shape)
            parts.append(_best(scores, masked, k, last))
            if progress is not None:
                progress(min(start + step, len(self.users)), len(self.users))
        return np.concatenate(parts)


def _vectors(user_vectors: Any, item_vectors: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float32 matrices of one width."""
    users, items = np.asarray(user_vectors), np.asarray(item_vectors)
    for what, vectors in (("user_vectors", users), ("item_vectors", items)):
        if vectors.dtype.kind not in "fiub" and vectors.dtype.name != "bfloat16":
            raise _bad(f"`{what}`", "must be numbers", f"dtype {vectors.dtype}")
    if users.ndim != 2 or items.ndim != 2 or users.shape[1] != items.shape[1]:
        shapes = f"shapes {users.shape} and {items.shape}"
        raise _bad("`user_vectors` and `item_vectors`", "must be matrices of one width", shapes)
    with np.errstate(over="ignore", invalid="ignore"):
        return users.astype(np.float32, copy=False), items.astype(np.float32, copy=False)


def _renumbered(pairs: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Returns pairs with other numbers of items."""
    if len(pairs) and not 0 <= pairs[:, 1].min() <= pairs[:, 1].max() < len(row):
        rule = f"must have item rows from 0 to {len(row) - 1}"
        raise _bad("Pairs of user and item", rule, f"{pairs[:, 1].min()} to {pairs[:, 1].max()}")
    return np.stack([pairs[:, 0], row[pairs[:, 1]]], axis=1)


def _pairs(what: str, pairs: np.ndarray) -> np.ndarray:
    """Returns pairs of row numbers; raises unless they are sorted by user."""
    pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
    if (np.diff(pairs[:, 0]) < 0).any():
        raise _bad(what, "must be sorted by user", f"{len(pairs)} pairs that are not")
    return pairs


def _among(pairs: np.ndarray, start: int, shape: tuple[int, int]) -> np.ndarray:
    """Returns which scores, of users from `start` on, belong to one of the pairs."""
    first, last = np.searchsorted(pairs[:, 0], [start, start + shape[0]])
    found = np.zeros(shape, bool)
    found[pairs[first:last, 0] - start, pairs[first:last, 1]] = True
    return found


def check_metrics(metrics: Sequence[str], item_counts: Mapping[Any, float] | None) -> None:
    """Raises unless the figures are known and have what they need."""
    unknown = [name for name in metrics if name not in FIGURES]
    if unknown or not metrics:
        raise _bad("`metrics`", f"must be some of {', '.join(FIGURES)}", f"metrics={metrics!r}")
    if "novelty" in metrics and item_counts is None:
        raise _bad("`item_counts`", "must be given for novelty", "item_counts=None")


def _best(
    scores: np.ndarray, masked: np.ndarray, k: int, last: np.ndarray | None = None
) -> np.ndarray:
    """Returns the columns of the `k` largest scores of each row; equal ones by `last`, column."""
    count = scores.shape[1]
    if k < count:
        # The k-th largest score: all above it are in, those equal to it by their column.
        limit = np.partition(scores, count - k, axis=1)[:, count - k, None]
        above = scores > limit
        equal = (scores == limit) & ~masked
        room = k - above.sum(axis=1, keepdims=True)
        place = np.cumsum(equal, axis=1)
        if last is not None:
            first = equal & ~last
            behind = first.sum(axis=1, keepdims=True) + np.cumsum(equal & last, axis=1)
            place = np.where(last, behind, np.cumsum(first, axis=1))
        chosen = above | (equal & (place <= room))
    else:
        chosen = ~masked
    best = np.full((len(scores), k), -1, np.int64)
    rows, columns = np.nonzero(chosen)
    ties = [columns] if last is None else [columns, last[rows, columns]]
    order = np.lexsort([*ties, -scores[rows, columns], rows])
    rows, columns = rows[order], columns[order]
    counts = np.bincount(rows, minlength=len(scores))
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    best[rows, rank] = columns
    return best


def _bad(what: str, rule: str, received: str, remedy: str = "", where: str = WHERE) -> ValueError:
    return ValueError(explain(what, rule=rule, received=received, where=where, remedy=remedy))
