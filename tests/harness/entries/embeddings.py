"""Embeddings."""

from __future__ import annotations

import numpy as np

from recs.layers import DynamicEmbedding
from tests.harness.case import Case

CASES = {
    DynamicEmbedding: [
        Case(
            make=lambda: DynamicEmbedding(4, seed=3),
            inputs=(np.array([[1, -(2**40)], [2**62, 5], [7, 1]]),),
        )
    ]
}
