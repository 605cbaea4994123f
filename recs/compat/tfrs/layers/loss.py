"""Layers that change the logits of a softmax loss."""

import numpy as np

from recs.layers.loss import (
    HardNegativeMining,
    RemoveAccidentalHits,
    SamplingProbablityCorrection,
)

# What TFRS masks logits with.
MAX_FLOAT = float(np.finfo(np.float32).max) / 100.0
MIN_FLOAT = float(np.finfo(np.float32).min) / 100.0

__all__ = [
    "MAX_FLOAT",
    "MIN_FLOAT",
    "HardNegativeMining",
    "RemoveAccidentalHits",
    "SamplingProbablityCorrection",
]
