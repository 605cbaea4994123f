"""Figures per domain."""

from __future__ import annotations

import numpy as np

from recs.errors import explain, warn_of_nonfinite_scores
from recs.evaluation.area_under_curve import area
from recs.evaluation.scores import Figures, finite_or_lowest, same_length

# Gains of labels up to this are computed as they are; float64 has numbers up to 2^1024.
EXACT = 50.0
WHERE = "recs.evaluation.per_domain"


def per_domain(
    labels: np.ndarray,
    scores: np.ndarray,
    domains: np.ndarray,
    lists: np.ndarray | None = None,
    topn: int = 10,
) -> dict[str, Figures]:
    """Returns the rows, the area under the curve, and NDCG per list, of each domain.

    A list is the rows of a domain that have the same entry of `lists`, such as a user's. NDCG with
    gains `2^label - 1` is the mean over the lists whose labels are not all alike; others say
    nothing of a ranking. Of rows with equal scores the less relevant one comes first. A score that
    is NaN or infinite counts as the lowest finite number, with a `NonFiniteScoresWarning`, and in
    `nonfinite_scores` of its domain's figures.

    Args:
        labels: `(rows,)`, 0 or more; 1 or more counts as positive. NaN leaves a row out.
        scores: `(rows,)`.
        domains: `(rows,)`, names.
        lists: `(rows,)`, what tells lists apart. Defaults to `None`: no NDCG.
        topn: How many places count. Defaults to `10`.

    Raises:
        ValueError: when a label is below 0 or infinite, or the columns are not of one length.

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
    columns = {"labels": labels, "scores": scores, "domains": domains}
    labels, scores, names, *of_lists = same_length(
        WHERE, **columns, **({} if lists is None else {"lists": lists})
    )
    labels, names = labels.astype(np.float64), names.astype(str)
    if (labels < 0).any() or np.isinf(labels).any():
        raise ValueError(
            explain(
                "`labels`",
                rule="must be 0 or more, or NaN for rows to leave out",
                received=f"{labels[(labels < 0) | np.isinf(labels)][0]:g}",
                where=WHERE,
            )
        )
    found: dict[str, Figures] = {}
    for name in np.unique(names):
        rows = np.flatnonzero((names == name) & ~np.isnan(labels))
        own, nonfinite = finite_or_lowest(scores[rows])
        figures = Figures(rows=float(len(rows)), auc=area(labels[rows] >= 1, own))
        figures.nonfinite_scores = nonfinite
        for column in of_lists:
            values = _ndcg(labels[rows], own, column[rows], topn)
            figures["lists"] = float(len(values))
            figures[f"ndcg@{topn}"] = float(values.mean()) if len(values) else float("nan")
        found[str(name)] = figures
    warn_of_nonfinite_scores(sum(f.nonfinite_scores for f in found.values()), WHERE)
    return found


def _ndcg(labels: np.ndarray, scores: np.ndarray, lists: np.ndarray, topn: int) -> np.ndarray:
    """Returns NDCG of every list whose labels are not all alike."""
    _, code = np.unique(lists.astype(str), return_inverse=True)
    count = int(code.max(initial=-1)) + 1
    high, low = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(high, code, labels)
    np.minimum.at(low, code, labels)
    # Divided by a factor of each list, so that they are finite for any label.
    gains = np.expm1(np.minimum(labels, EXACT) * np.log(2.0))
    gains *= 2.0 ** (np.maximum(labels, EXACT) - np.maximum(high, EXACT)[code])

    def gained(order: np.ndarray) -> np.ndarray:
        ordered = code[order]
        starts = np.searchsorted(ordered, np.arange(count))
        place = np.arange(len(order)) - starts[ordered]
        discounted = gains[order] / np.log2(place + 2.0)
        return np.bincount(ordered, np.where(place < topn, discounted, 0.0), minlength=count)

    best = gained(np.lexsort((-labels, code)))
    ranked = gained(np.lexsort((labels, -scores, code)))
    differ = high > low
    return ranked[differ] / best[differ]
