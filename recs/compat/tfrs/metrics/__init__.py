"""Metrics of retrieval."""

from recs.compat.tfrs.metrics import factorized_top_k
from recs.compat.tfrs.metrics.factorized_top_k import Factorized, FactorizedTopK

__all__ = ["Factorized", "FactorizedTopK", "factorized_top_k"]
