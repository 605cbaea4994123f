"""Area under the ROC curve."""

from __future__ import annotations

import numpy as np

from recs.errors import warn_of_nonfinite_scores
from recs.evaluation.scores import finite_or_lowest, same_length


def area_under_curve(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the area under the ROC curve: how often a positive is above a negative.

    `AUC = P(s+ > s-) + P(s+ = s-) / 2` over all pairs, by ranks: `(R - p (p + 1) / 2) / (p n)` with
    `R` the sum of the positives' mean ranks. NaN when all labels are alike. A score that is NaN or
    infinite counts as the lowest finite number, with a `recs.errors.NonFiniteScoresWarning`.

    Args:
        labels: `(rows,)`, 1 or above for positives. Rows whose label is NaN are left out.
        scores: `(rows,)`.

    Raises:
        ValueError: when labels and scores are not of one length.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.evaluation import area_under_curve
    >>> area_under_curve(np.array([1, 0, 1, 0]), np.array([0.9, 0.1, 0.4, 0.4]))
    0.875

    ```
    """
    where = "recs.evaluation.area_under_curve"
    labels, scores = same_length(where, labels=labels, scores=scores)
    labels = labels.astype(np.float64)
    known = ~np.isnan(labels)
    scores, nonfinite = finite_or_lowest(scores[known])
    warn_of_nonfinite_scores(nonfinite, where)
    return area(labels[known] >= 1, scores)


def area(positive: np.ndarray, scores: np.ndarray) -> float:
    """Returns the area of finite scores, and which of them are positives'."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[place]
    p, n = int(positive.sum()), int((~positive).sum())
    if p == 0 or n == 0:
        return float("nan")
    return float((ranks[positive].sum() - p * (p + 1) / 2) / (p * n))
