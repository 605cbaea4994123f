"""Recall, NDCG and others of a ranking of the full catalogue, a chunk of users at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from recs.errors import explain
from recs.evaluation.held_out import HeldOut
from recs.evaluation.top_k_figures import FIGURES, Lists, figures

# Scores held at once, 128 MB: users by items would be 4 TB for a million of each.
_SCORES_AT_ONCE = 32 * 1024 * 1024


def evaluate_top_k(
    user_vectors: np.ndarray,
    item_vectors: np.ndarray,
    held_out: HeldOut,
    ks: Sequence[int] = (10, 50, 100),
    metrics: Sequence[str] = ("recall", "ndcg"),
    allowed: np.ndarray | None = None,
    item_counts: Mapping[Any, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Returns figures of the lists of `k`, such as Recall@k and NDCG@k, with training items masked.

    Of a user with held-out items `R`, let `hit_r` be 1 when the item at rank `r = 1, 2, ...` of the
    whole catalogue without their training items is in `R`, and 0 otherwise. Then

        recall@k = sum_{r<=k} hit_r / |R|
        ndcg@k   = sum_{r<=k} hit_r / log2(r + 1)  /  sum_{r<=min(k, |R|)} 1 / log2(r + 1)

        mrr@k    = 1 / (the first r <= k with hit_r), 0 without one
        map@k    = sum_{r<=k} hit_r * (sum_{s<=r} hit_s / r)  /  min(k, |R|)

    and the figures are the means over all users of `held_out`. `coverage@k` is the share of the
    catalogue that is in somebody's list, and `novelty@k` the mean of `-log2 p_i` over all places of
    all lists, with `p_i = (count_i + 1) / (all counts + items)`: in bits, larger for lists of rarer
    items. Recall is divided by `|R|`, not by
    `min(k, |R|)`: a user with more than `k` held-out items cannot reach 1. Scores are dot products
    in float32; of equal scores the item first in the catalogue ranks first; NaN ranks last.

    Args:
        user_vectors: `(users, dim)`, in the order of `held_out.users`.
        item_vectors: `(items, dim)`, in the order of `held_out.catalogue`.
        held_out: what the ranking is judged by.
        ks: lengths of the list. Defaults to `(10, 50, 100)`.
        metrics: of `"recall"`, `"ndcg"`, `"mrr"`, `"map"`, `"coverage"`, `"novelty"`. Defaults to
            the first two.
        allowed: `(pairs, 2)` row numbers of user and item, sorted by user: only these items are
            ranked for each user, less those seen. Defaults to `None`: the whole catalogue.
        item_counts: how often each item was taken in training, as `train.item_counts()` gives it,
            for novelty. Defaults to `None`.
        progress: called with the number of users ranked so far and of all, after each chunk.
            Defaults to `None`.

    Shapes: `(users, dim)`, `(items, dim)` -> a dict of `{metric}@{k}` for each of both.

    Raises:
        ValueError: when shapes do not fit, `ks` are no positive integers, or a metric is not known
            or lacks counts.

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
    if not ks or any(isinstance(k, bool) or not isinstance(k, int) or k < 1 for k in ks):
        raise _bad("`ks`", "must be positive integers", f"ks={ks!r}")
    _check_metrics(metrics, item_counts)
    best = recommend_top_k(user_vectors, item_vectors, held_out.seen, max(ks), allowed, progress)
    width = len(held_out.catalogue)
    users = len(held_out.users)
    # A pair as one number, so that membership is one sorted search for all users.
    wanted = np.sort(held_out.relevant @ np.array([width, 1]))
    pairs = np.arange(users)[:, None] * width + best
    found = np.searchsorted(wanted, pairs)
    hits = (best >= 0) & (wanted[np.minimum(found, len(wanted) - 1)] == pairs)
    relevant = np.bincount(held_out.relevant[:, 0], minlength=users)
    counts = None
    if item_counts is not None:
        taken = [item_counts.get(item, 0) for item in held_out.catalogue.tolist()]
        counts = np.array(taken, np.float64)
    return figures(Lists(best, hits, relevant, width, counts), metrics, ks)


def recommend_top_k(
    user_vectors: np.ndarray,
    item_vectors: np.ndarray,
    seen: np.ndarray,
    k: int,
    allowed: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Returns for each user the row numbers of the `k` best items they have not seen, best first.

    Scores are made and sorted for as many users at a time as fit in 128 MB.

    Args:
        user_vectors: `(users, dim)`.
        item_vectors: `(items, dim)`.
        seen: `(pairs, 2)` row numbers of user and item that are not to be shown, sorted by user.
        k: the length of the list, cut to the number of items.
        allowed: `(pairs, 2)` row numbers of user and item, sorted by user: nothing else is shown to
            a user. Defaults to `None`: every item may be.
        progress: called with the number of users ranked so far and of all, after each chunk.
            Defaults to `None`.

    Shapes: -> `(users, min(k, items))` int64; -1 where a user has seen everything else.

    Raises:
        ValueError: when the vectors are no matrices of one width, or `seen` or `allowed` is not
            sorted.

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
    users, items = np.asarray(user_vectors, np.float32), np.asarray(item_vectors, np.float32)
    if users.ndim != 2 or items.ndim != 2 or users.shape[1] != items.shape[1]:
        shapes = f"shapes {users.shape} and {items.shape}"
        raise _bad("`user_vectors` and `item_vectors`", "must be matrices of one width", shapes)
    seen = _pairs("`seen`", seen)
    allowed = None if allowed is None else _pairs("`allowed`", allowed)
    k = min(k, len(items))
    step = max(1, _SCORES_AT_ONCE // max(1, len(items)))
    parts = [np.zeros((0, k), np.int64)]
    for start in range(0, len(users), step):
        scores = users[start : start + step] @ items.T
        scores = np.where(np.isnan(scores), -np.inf, scores)
        masked = _among(seen, start, scores.shape)
        if allowed is not None:
            masked |= ~_among(allowed, start, scores.shape)
        scores[masked] = -np.inf
        parts.append(_best(scores, masked, k))
        if progress is not None:
            progress(min(start + step, len(users)), len(users))
    return np.concatenate(parts)


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


def _check_metrics(metrics: Sequence[str], item_counts: Mapping[Any, float] | None) -> None:
    unknown = [name for name in metrics if name not in FIGURES]
    if unknown or not metrics:
        raise _bad("`metrics`", f"must be some of {', '.join(FIGURES)}", f"metrics={metrics!r}")
    if "novelty" in metrics and item_counts is None:
        raise _bad("`item_counts`", "must be given for novelty", "item_counts=None")


def _best(scores: np.ndarray, masked: np.ndarray, k: int) -> np.ndarray:
    """Returns the columns of the `k` largest scores of each row; equal ones by column."""
    count = scores.shape[1]
    if k < count:
        # The k-th largest score: all above it are in, those equal to it by their column.
        limit = np.partition(scores, count - k, axis=1)[:, count - k, None]
        above = scores > limit
        equal = (scores == limit) & ~masked
        room = k - above.sum(axis=1, keepdims=True)
        chosen = above | (equal & (np.cumsum(equal, axis=1) <= room))
    else:
        chosen = ~masked
    best = np.full((len(scores), k), -1, np.int64)
    rows, columns = np.nonzero(chosen)
    order = np.lexsort([columns, -scores[rows, columns], rows])
    rows, columns = rows[order], columns[order]
    counts = np.bincount(rows, minlength=len(scores))
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    best[rows, rank] = columns
    return best


def _bad(what: str, rule: str, received: str) -> ValueError:
    return ValueError(explain(what, rule=rule, received=received, where="recs.evaluation"))
