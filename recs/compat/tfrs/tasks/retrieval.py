"""The retrieval task."""

from recs.compat.tfrs.layers.loss import MIN_FLOAT
from recs.tasks import Retrieval

__all__ = ["MIN_FLOAT", "Retrieval"]
