"""Metrics, one public class a file."""

from recs.metrics.factorized import Factorized
from recs.metrics.factorized_top_k import FactorizedTopK

__all__ = ["Factorized", "FactorizedTopK"]
