"""Inputs of ranking models."""

from __future__ import annotations

import numpy as np

from recs.data.ranking import RankingFeature, RankingFeatures
from recs.layers import TableConfig
from recs.layers.ranking_features import RankingInputs
from tests.harness.case import Case

_RNG = np.random.default_rng(29)
BATCH = {
    "history": _RNG.integers(1, 9, (4, 3)),
    "seconds": _RNG.uniform(0.1, 2.0, (4, 3)).astype("float32"),
    "item": _RNG.integers(1, 9, (4, 5)),
    "tags": _RNG.integers(1, 9, (4, 5, 2)),
    "price": _RNG.normal(size=(4, 5, 2)).astype("float32"),
    "mask": np.arange(5) < np.array([5, 0, 2, 3])[:, None],
}
ROWS = _RNG.normal(size=(8, 3))
EXTREME = {
    **BATCH,
    "history": np.array([[2**63 - 1, -(2**63), 0]] * 4),
    "seconds": np.array([[0.0, 1e30, -1e-30]] * 4, "float32"),
    "price": BATCH["price"] * 1e30,
}


def _inputs(known: bool, combiner: str | None, weights: str | None = None) -> RankingInputs:
    query = "item" if combiner == "attention" else None
    history = RankingFeature(
        "history", "sequence", table="items", combiner=combiner, weights=weights, query=query
    )
    tags = RankingFeature("tags", "sequence", combiner=combiner, query=query)
    features = RankingFeatures(
        [history],
        [RankingFeature("item", "ids", table="items"), tags, RankingFeature("price", shape=(2,))],
    )
    layer = RankingInputs(features, [TableConfig("items", 3, seed=3), TableConfig("tags", 3)])
    if known:
        layer.embeddings.table("items").upsert(np.arange(1, 9), ROWS)
        layer.embeddings.table("tags").upsert(np.arange(1, 9), ROWS[::-1])
    return layer


CASES = {
    RankingInputs: [
        Case(make=lambda: _inputs(False, "mean"), inputs=(BATCH,), label="new"),
        Case(
            make=lambda: _inputs(True, "sqrtn", "seconds"),
            inputs=(BATCH,),
            label="weights",
            extreme=(EXTREME,),
        ),
        Case(make=lambda: _inputs(True, "attention"), inputs=(BATCH,), label="attention"),
        Case(make=lambda: _inputs(True, None), inputs=(BATCH,), label="sequences"),
    ]
}
