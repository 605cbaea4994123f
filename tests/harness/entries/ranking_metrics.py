"""Ranking metrics."""

from __future__ import annotations

import numpy as np

from recs import metrics
from tests.harness.case import Case

_RNG = np.random.default_rng(22)
LABELS = _RNG.integers(-1, 4, (6, 7)).astype("float32")
LABELS[0], LABELS[1], LABELS[2, 1:] = -1, 0, -1
SCORES = np.round(_RNG.normal(size=(6, 7)) * 2).astype("float32")
TOPICS = _RNG.integers(0, 2, (6, 7, 3)).astype("float32")
TOPICS[LABELS < 0] = -1


def _cases(of_class, labels=LABELS, **options):
    return [
        Case(lambda: of_class(name="m"), (labels, SCORES)),
        Case(
            lambda: of_class(name="m", ties="position", **options),
            (labels, SCORES),
            label="options",
        ),
    ]


CASES = {
    of_class: _cases(of_class, topn=3)
    for of_class in (
        metrics.BPrefMetric,
        metrics.DCGMetric,
        metrics.HitsMetric,
        metrics.MRRMetric,
        metrics.MeanAveragePrecisionMetric,
        metrics.NDCGMetric,
        metrics.PWAMetric,
        metrics.PrecisionMetric,
        metrics.RecallMetric,
    )
} | {
    metrics.ARPMetric: _cases(metrics.ARPMetric),
    metrics.OPAMetric: _cases(metrics.OPAMetric),
    metrics.AlphaDCGMetric: _cases(metrics.AlphaDCGMetric, TOPICS, topn=3, alpha=0.3),
    metrics.PrecisionIAMetric: _cases(metrics.PrecisionIAMetric, TOPICS, topn=3),
}
