"""Layers that change logits before a softmax loss sees them."""

from recs.layers.loss.hard_negative_mining import HardNegativeMining
from recs.layers.loss.negatives_schedule import NegativesSchedule
from recs.layers.loss.remove_accidental_hits import RemoveAccidentalHits
from recs.layers.loss.sampling_probability_correction import SamplingProbabilityCorrection
from recs.layers.loss.temperature import Temperature

# TFRS spells it so, and its users import it so.
SamplingProbablityCorrection = SamplingProbabilityCorrection

__all__ = [
    "HardNegativeMining",
    "NegativesSchedule",
    "RemoveAccidentalHits",
    "SamplingProbabilityCorrection",
    "SamplingProbablityCorrection",
    "Temperature",
]
