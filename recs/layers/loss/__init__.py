"""Layers that change logits before a softmax loss sees them."""

from recs.layers.loss.hard_negative_mining import HardNegativeMining
from recs.layers.loss.remove_accidental_hits import RemoveAccidentalHits
from recs.layers.loss.sampling_probability_correction import SamplingProbabilityCorrection

# TFRS spells it so, and its users import it so.
SamplingProbablityCorrection = SamplingProbabilityCorrection

__all__ = [
    "HardNegativeMining",
    "RemoveAccidentalHits",
    "SamplingProbabilityCorrection",
    "SamplingProbablityCorrection",
]
