"""SavedModels for serving: written once, run where there is nothing but TensorFlow."""

from recs.export.deltas import DeltaFolder
from recs.export.ranking_signatures import ranking_signatures
from recs.export.retrieval_signatures import retrieval_signatures
from recs.export.saved_model import saved_model

__all__ = ["DeltaFolder", "ranking_signatures", "retrieval_signatures", "saved_model"]
