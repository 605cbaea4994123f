"""Ranking heads."""

from __future__ import annotations

import keras
import numpy as np

from recs.tasks import RankingHead
from tests.harness.case import Case

_RNG = np.random.default_rng(23)
LABELS = _RNG.integers(-1, 3, (6, 5)).astype("float32")
FEATURES = _RNG.normal(size=(6, 5, 3)).astype("float32")
SCORES = FEATURES[..., 0]

CASES = {
    RankingHead: [
        Case(
            make=lambda: RankingHead(loss_metrics=keras.metrics.Mean(name="mean")),
            inputs=(LABELS, SCORES),
            extreme=(LABELS, SCORES * 1e30),
        ),
        Case(
            make=lambda: RankingHead(
                "pairwise_logistic_loss",
                scorer=keras.layers.Dense(2, "tanh", kernel_initializer="ones"),
                units=1,
                kernel_regularizer=keras.regularizers.L1L2(1e-3, 1e-3),
                regularization_weight=2.0,
                seed=1,
            ),
            inputs=(LABELS, FEATURES),
            label="scorer",
            saved=False,
        ),
    ],
}
