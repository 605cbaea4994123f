"""Ranking metrics by name."""

from __future__ import annotations

import importlib
from typing import Any

from recs.errors import explain

# The class of each name, in `recs.metrics`.
CLASSES = {
    "mrr": "MRRMetric",
    "arp": "ARPMetric",
    "ndcg": "NDCGMetric",
    "dcg": "DCGMetric",
    "precision": "PrecisionMetric",
    "recall": "RecallMetric",
    "map": "MeanAveragePrecisionMetric",
    "precision_ia": "PrecisionIAMetric",
    "ordered_pair_accuracy": "OPAMetric",
    "alpha_dcg": "AlphaDCGMetric",
    "hits": "HitsMetric",
    "bpref": "BPrefMetric",
    "pwa": "PWAMetric",
}


class RankingMetricKey:
    """The names that `get` takes: TF-Ranking's, and those of the metrics it leaves out.

    Example:
    ```python
    >>> from recs.metrics import RankingMetricKey
    >>> RankingMetricKey.NDCG
    'ndcg'
    >>> len(RankingMetricKey.all_keys())
    13

    ```

    Reference: `tfr.keras.metrics.RankingMetricKey`.
    """

    MRR = "mrr"
    ARP = "arp"
    NDCG = "ndcg"
    DCG = "dcg"
    PRECISION = "precision"
    RECALL = "recall"
    MAP = "map"
    PRECISION_IA = "precision_ia"
    ORDERED_PAIR_ACCURACY = "ordered_pair_accuracy"
    ALPHA_DCG = "alpha_dcg"
    HITS = "hits"
    BPREF = "bpref"
    PWA = "pwa"

    @classmethod
    def all_keys(cls) -> list[str]:
        """Returns every name."""
        return list(CLASSES)


def get(
    key: str, name: str | None = None, dtype: Any = None, topn: int | None = None, **kwargs: Any
) -> Any:
    """Returns the ranking metric of a name.

    Args:
        key: str, one of `RankingMetricKey`.
        name: str. Defaults to `None`, which lets Keras choose one.
        dtype: The dtype of the metric's state. Defaults to `None`, for Keras's.
        topn: int. How many places count. Defaults to `None`, which leaves it to the metric.
        **kwargs: Further arguments of the metric.

    Raises:
        ValueError: when there is no metric of that name.

    Example:
    ```python
    >>> import recs
    >>> metric = recs.metrics.get("ndcg", topn=10)
    >>> type(metric).__name__, metric.topn
    ('NDCGMetric', 10)

    ```

    Reference: `tfr.keras.metrics.get`.
    """
    if key not in CLASSES:
        raise ValueError(
            explain(
                "`key`",
                rule=f"must be one of {', '.join(CLASSES)}",
                received=key,
                where="recs.metrics.get",
            )
        )
    if topn is not None:
        kwargs["topn"] = topn
    of_key = getattr(importlib.import_module("recs.metrics"), CLASSES[key])
    return of_key(name=name, dtype=dtype, **kwargs)


def default_keras_metrics(**kwargs: Any) -> list[Any]:
    """Returns TF-Ranking's selection: NDCG at 1, 3, 5, 10 and all, and six further metrics.

    Args:
        **kwargs: Further arguments of each.

    Example:
    ```python
    >>> from recs.metrics import default_keras_metrics
    >>> [metric.name for metric in default_keras_metrics()][:3]
    ['metric/ndcg_1', 'metric/ndcg_3', 'metric/ndcg_5']

    ```

    Reference: `tfr.keras.metrics.default_keras_metrics`.
    """
    cut = [get("ndcg", f"metric/ndcg_{topn}", topn=topn, **kwargs) for topn in (1, 3, 5, 10)]
    keys = ("arp", "ordered_pair_accuracy", "mrr", "precision", "map", "dcg", "ndcg")
    return cut + [get(key, f"metric/{key}", **kwargs) for key in keys]
