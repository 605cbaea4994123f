"""Embeddings."""

from __future__ import annotations

import keras
import numpy as np

from recs.layers import DynamicEmbedding
from tests.harness.case import Case

IDS = np.array([[1, -(2**40)], [2**62, 5], [7, 1]])
PRESENT = np.array([[True, False], [True, True], [False, True]])


def _trained(**arguments) -> DynamicEmbedding:
    """A layer that knows the ids, so that there is something to look up and to lose."""
    layer = DynamicEmbedding(4, seed=3, **arguments)
    layer.table.upsert(IDS.reshape(-1), np.arange(24.0).reshape(6, 4) / 24)
    return layer


CASES = {
    DynamicEmbedding: [
        Case(make=lambda: DynamicEmbedding(4, seed=3), inputs=(IDS,), label="new"),
        Case(make=_trained, inputs=(IDS,), label="trained", padded=PRESENT),
        *(
            Case(
                make=lambda combiner=combiner: _trained(combiner=combiner),
                inputs=(IDS,),
                label=combiner,
                padded=PRESENT,
                extreme=(np.array([[2**63 - 1, -(2**63)], [0, 0], [-1, 1]]),),
            )
            for combiner in ("sum", "mean", "sqrtn")
        ),
        Case(
            make=lambda: _trained(mask_key=5, embeddings_regularizer=keras.regularizers.L2(0.1)),
            inputs=(IDS,),
            label="mask-key",
        ),
    ]
}
