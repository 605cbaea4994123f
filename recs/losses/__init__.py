"""Losses, one public class a file, over the pure functions of `recs.losses.functional`."""

from recs.losses.bpr import BPR
from recs.losses.cosine_contrastive import CosineContrastive
from recs.losses.hinge import Hinge
from recs.losses.in_batch_softmax import InBatchSoftmax
from recs.losses.retrieval_loss import RetrievalLoss
from recs.losses.sampled_softmax import SampledSoftmax

__all__ = [
    "BPR",
    "CosineContrastive",
    "Hinge",
    "InBatchSoftmax",
    "RetrievalLoss",
    "SampledSoftmax",
]
