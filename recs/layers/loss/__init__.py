"""Layers of softmax losses: what changes logits before one, and one of vectors and a queue."""

from recs.layers.loss.hard_negative_mining import HardNegativeMining
from recs.layers.loss.negatives_schedule import NegativesSchedule
from recs.layers.loss.queued_softmax import QueuedSoftmax
from recs.layers.loss.remove_accidental_hits import RemoveAccidentalHits
from recs.layers.loss.sampling_probability_correction import SamplingProbabilityCorrection
from recs.layers.loss.temperature import Temperature

# TFRS spells it so, and its users import it so.
SamplingProbablityCorrection = SamplingProbabilityCorrection

__all__ = [
    "HardNegativeMining",
    "NegativesSchedule",
    "QueuedSoftmax",
    "RemoveAccidentalHits",
    "SamplingProbabilityCorrection",
    "SamplingProbablityCorrection",
    "Temperature",
]
