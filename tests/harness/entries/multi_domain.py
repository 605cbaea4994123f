"""Samples of several domains."""

from __future__ import annotations

import keras
import numpy as np

from recs.layers import multi_domain
from tests.harness.case import Case
from tests.harness.entries.multi_task import HUGE, X, _seeded

DOMAINS = ["books", "films", "music"]
OF = np.array([1, 0, 1, 2, 7, 0], "int32")  # the fifth is of no domain
PRIOR = X[:, :2]
ROUTED = {
    multi_domain.PartitionedNormalization: lambda: multi_domain.PartitionedNormalization(DOMAINS),
    multi_domain.StarDense: lambda: multi_domain.StarDense(
        DOMAINS, 4, "relu", own_regularizer="l2"
    ),
    multi_domain.Star: lambda: multi_domain.Star(DOMAINS, (4, 2), (3,)),
    multi_domain.DomainExperts: lambda: multi_domain.DomainExperts(DOMAINS, 2, units=(4,)),
}
GATED = {
    multi_domain.EPNetGate: multi_domain.EPNetGate,
    multi_domain.PPNet: lambda: multi_domain.PPNet(["click", "buy"], (4, 1)),
    multi_domain.POSO: lambda: multi_domain.POSO((4, 3)),
}


def _any_layers():
    own = {"films": [keras.layers.Dense(4, "tanh"), keras.layers.Dense(4)]}
    return multi_domain.DomainExperts(DOMAINS, [keras.layers.Dense(4)], own, units=(4,))


def _old_model():
    x = keras.Input((5,), name="x")
    made = keras.layers.Dense(1, "sigmoid", name="dense", kernel_initializer="ones")(x)
    return multi_domain.MovedIn(keras.Model({"x": x}, made, name="old"), "click")


CASES = {
    **{
        thing: [Case(make=_seeded(make), inputs=(X, OF), tolerance=0.05, extreme=(HUGE, OF))]
        for thing, make in ROUTED.items()
    },
    **{
        thing: [Case(make=_seeded(make), inputs=(X, PRIOR), tolerance=0.05, extreme=(HUGE, PRIOR))]
        for thing, make in GATED.items()
    },
    multi_domain.GateUnit: [
        Case(make=_seeded(lambda: multi_domain.GateUnit(3)), inputs=(X,), extreme=(HUGE,))
    ],
    multi_domain.MovedIn: [
        Case(make=_old_model, inputs=({"x": X},), extreme=({"x": HUGE},), half=())
    ],
}
CASES[multi_domain.DomainExperts].append(
    Case(make=_seeded(_any_layers), inputs=(X, OF), tolerance=0.05, label="layers")
)
