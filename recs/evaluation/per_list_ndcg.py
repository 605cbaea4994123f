"""NDCG per list."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from recs.errors import warn_of_nonfinite_scores
from recs.evaluation.scores import finite_or_lowest, same_length
from recs.metrics.ndcg_metric import NDCGMetric

if TYPE_CHECKING:
    from recs.data.ranking import RankingLists


def per_list_ndcg(
    lists: RankingLists, scores: np.ndarray, topn: int = 10, batch_size: int = 256
) -> np.ndarray:
    """Returns NDCG of every list that has a relevant item, in the order of the lists.

    With gains `2^label - 1`. Lists whose labels are all 0 say nothing of a ranking, and are left
    out. Of items with equal scores the less relevant one comes first. A score that is NaN or
    infinite counts as the lowest finite number, with a `recs.errors.NonFiniteScoresWarning`.

    Args:
        lists: the lists, with labels.
        scores: `(items,)`, in their order.
        topn: how many places count. Defaults to `10`.
        batch_size: how many lists at once. Defaults to `256`.

    Raises:
        ValueError: when there is not a score for each item.

    Example:
    ```python
    >>> from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
    >>> from recs.evaluation import per_list_ndcg
    >>> features = RankingFeatures(examples=[RankingFeature("price")])
    >>> items = {"price": [3.0, 1.0, 2.0, 4.0], "label": [1, 0, 0, 0]}
    >>> lists = RankingLists(features, {}, items, row_splits=[0, 2, 4])
    >>> per_list_ndcg(lists, scores=lists.examples["price"]).tolist()
    [1.0]

    ```
    """
    where = "recs.evaluation.per_list_ndcg"
    metric = NDCGMetric(topn=topn)
    splits = lists.row_splits
    labels, scores = same_length(where, labels=lists.examples[lists.features.label], scores=scores)
    lengths = np.diff(splits)
    best = np.array([labels[a:b].max(initial=0) for a, b in itertools.pairwise(splits)])
    rows = np.flatnonzero(best > 0)
    ranked = np.repeat(best > 0, lengths)
    scores = scores.copy()
    scores[ranked], nonfinite = finite_or_lowest(scores[ranked])
    warn_of_nonfinite_scores(nonfinite, where)
    range_ = np.finfo(np.float32)
    scores = np.clip(scores, range_.min, range_.max).astype(np.float32)
    values = []
    for start in range(0, len(rows), batch_size):
        some = rows[start : start + batch_size]
        places = np.arange(lengths[some].max())
        there = places < lengths[some][:, None]
        items = np.minimum(splits[:-1][some][:, None] + places, len(labels) - 1)
        of_lists, _ = metric.per_list(np.where(there, labels[items], -1.0), scores[items])
        values.append(np.asarray(of_lists))
    return np.concatenate(values) if values else np.zeros(0, np.float32)
