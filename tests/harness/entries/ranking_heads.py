"""Ranking heads."""

from __future__ import annotations

import keras
import numpy as np

from recs.layers import ranking
from recs.tasks import RankingHead
from tests.harness.case import Case

_RNG = np.random.default_rng(23)
LABELS = _RNG.integers(-1, 3, (6, 5)).astype("float32")
FEATURES = _RNG.normal(size=(6, 5, 3)).astype("float32")
SCORES = FEATURES[..., 0]


def _seeded(make):
    """Returns a maker of layers with weights that do not differ from one to the next."""

    def made():
        keras.utils.set_random_seed(3)
        return make()

    return made


CASES = {
    RankingHead: [
        Case(
            make=lambda: RankingHead(loss_metrics=keras.metrics.Mean(name="mean")),
            inputs=(LABELS, SCORES),
            extreme=(LABELS, SCORES * 1e30),
        ),
        Case(
            make=_seeded(
                lambda: RankingHead(
                    "pairwise_logistic_loss",
                    scorer=keras.layers.Dense(2, "tanh", kernel_initializer="ones"),
                    units=1,
                    kernel_regularizer=keras.regularizers.L1L2(1e-3, 1e-3),
                    regularization_weight=2.0,
                    seed=1,
                )
            ),
            inputs=(LABELS, FEATURES),
            label="scorer",
            saved=False,
        ),
        Case(
            make=_seeded(
                lambda: RankingHead(
                    scorer=keras.layers.Dense(2, "tanh"), units=1, members=3, seed=1
                )
            ),
            inputs=(LABELS, FEATURES),
            label="members",
            saved=False,
        ),
    ],
}
HUGE = FEATURES * 1e30


def _adapted():
    layer = ranking.QuantileSteps()
    layer.adapt(FEATURES.reshape(-1, 3))
    return layer


CASES |= {
    ranking.DocumentInteractionAttention: [
        Case(
            make=_seeded(lambda: ranking.DocumentInteractionAttention(2, 4, dropout=0.0)),
            inputs=(FEATURES,),
            tolerance=0.05,
        )
    ],
    ranking.DASALCScorer: [
        Case(
            make=_seeded(lambda: ranking.DASALCScorer((4,), head_size=4, dropout=0.0)),
            inputs=(FEATURES,),
            extreme=(HUGE,),
            tolerance=0.05,
        )
    ],
    ranking.GroupwiseScoring: [
        Case(
            make=lambda: ranking.GroupwiseScoring(
                keras.layers.Dense(2, kernel_initializer="ones"), shuffle=False
            ),
            inputs=(FEATURES,),
        )
    ],
    ranking.MaxNorm: [
        Case(make=lambda: ranking.MaxNorm(0.5), inputs=(FEATURES,), extreme=(HUGE,)),
    ],
}
THERE = np.arange(5) < np.array([5, 0, 1, 3, 5, 2])[:, None]
NAMED = ({"context": _RNG.normal(size=(6, 2)).astype("float32")}, {"items": FEATURES}, THERE)
CASES |= {
    ranking.FlattenList: [Case(make=ranking.FlattenList, inputs=(NAMED,))],
    ranking.ConcatFeatures: [Case(make=ranking.ConcatFeatures, inputs=(NAMED,))],
    ranking.RestoreList: [
        # Scores count items, not lists: batches of another size are tested elsewhere.
        Case(
            make=lambda: ranking.RestoreList(by_scatter=True),
            inputs=((SCORES.reshape(6, 5)[:, :1], THERE[:, :1]),),
        )
    ],
    ranking.Bilinear: [
        Case(make=_seeded(lambda: ranking.Bilinear(3, 2)), inputs=((FEATURES, FEATURES),))
    ],
    ranking.GAMLayer: [
        Case(
            make=_seeded(lambda: ranking.GAMLayer(2, [3], activation="relu", dropout=None)),
            inputs=(((FEATURES, FEATURES), ()),),
        )
    ],
    ranking.PositionBias: [
        Case(
            make=lambda: ranking.PositionBias(3),
            inputs=((SCORES, _RNG.integers(0, 7, (6, 5))),),
        )
    ],
    ranking.RankInList: [
        Case(make=ranking.RankInList, inputs=(FEATURES,), extreme=(HUGE,)),
    ],
    ranking.QuantileSteps: [
        Case(make=_adapted, inputs=(FEATURES,), extreme=(HUGE,), label="steps")
    ],
    ranking.FactorizationScorer: [
        Case(make=_seeded(lambda: ranking.FactorizationScorer(3, [4])), inputs=(FEATURES,))
    ],
}
