"""How well each domain is ranked."""

from __future__ import annotations

import numpy as np

from recs.evaluation.area_under_curve import area_under_curve


def per_domain(
    labels: np.ndarray,
    scores: np.ndarray,
    domains: np.ndarray,
    lists: np.ndarray | None = None,
    topn: int = 10,
) -> dict[str, dict[str, float]]:
    """Returns the rows, the area under the curve, and NDCG per list, of each domain.

    A list is the rows of a domain that have the same entry of `lists`, such as a user's. NDCG with
    gains `2^label - 1` is the mean over the lists whose labels are not all alike; others say
    nothing of a ranking. Of rows with equal scores the less relevant one comes first.

    Args:
        labels: `(rows,)`, 0 or more; 1 or more counts as positive. NaN leaves a row out.
        scores: `(rows,)`.
        domains: `(rows,)`, names.
        lists: `(rows,)`, what tells lists apart. Defaults to `None`: no NDCG.
        topn: How many places count. Defaults to `10`.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.evaluation import per_domain
    >>> found = per_domain(np.array([1, 0, 1, 0]), np.array([0.9, 0.1, 0.2, 0.3]),
    ...                    np.array(["a", "a", "b", "b"]), np.array([1, 1, 1, 1]))
    >>> found["a"]["auc"], found["b"]["auc"], round(found["b"]["ndcg@10"], 2)
    (1.0, 0.0, 0.63)

    ```
    """
    labels, scores = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    names = np.asarray(domains).astype(str)
    found = {}
    for name in np.unique(names):
        rows = np.flatnonzero((names == name) & ~np.isnan(labels))
        figures = {"rows": float(len(rows)), "auc": area_under_curve(labels[rows], scores[rows])}
        if lists is not None:
            values = _ndcg(labels[rows], scores[rows], np.asarray(lists)[rows], topn)
            figures["lists"] = float(len(values))
            figures[f"ndcg@{topn}"] = float(values.mean()) if len(values) else float("nan")
        found[str(name)] = figures
    return found


def _ndcg(labels: np.ndarray, scores: np.ndarray, lists: np.ndarray, topn: int) -> np.ndarray:
    """Returns NDCG of every list whose labels are not all alike."""
    _, code = np.unique(lists.astype(str), return_inverse=True)
    count = int(code.max(initial=-1)) + 1

    def gained(order: np.ndarray) -> np.ndarray:
        ordered = code[order]
        starts = np.searchsorted(ordered, np.arange(count))
        place = np.arange(len(order)) - starts[ordered]
        gains = (2.0 ** labels[order] - 1.0) / np.log2(place + 2.0)
        return np.bincount(ordered, np.where(place < topn, gains, 0.0), minlength=count)

    best = gained(np.lexsort((-labels, code)))
    high, low = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(high, code, labels)
    np.minimum.at(low, code, labels)
    told = high > low
    return gained(np.lexsort((labels, -scores, code)))[told] / best[told]
