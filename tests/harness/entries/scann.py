"""The approximate index, where its package is installed."""

from __future__ import annotations

import importlib.util

import numpy as np

from recs.layers.factorized_top_k import ScaNN
from tests.harness.case import Case

_RNG = np.random.default_rng(12)
QUERIES = _RNG.normal(size=(6, 8)).astype("float32")
CORPUS = _RNG.normal(size=(200, 8)).astype("float32")
NAMES = np.array([f"item {i}" for i in range(200)])
WELL = {"num_leaves": 4, "num_leaves_to_search": 4, "num_reordering_candidates": 50}

CASES: dict[type, list[Case]] = {ScaNN: []}
if importlib.util.find_spec("scann") is not None:
    CASES[ScaNN].append(
        Case(
            make=lambda: ScaNN(k=3, **WELL).index(CORPUS, NAMES),
            inputs=(QUERIES,),
            extreme=(QUERIES * 1e6,),
        )
    )
