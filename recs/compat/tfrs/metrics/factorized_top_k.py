"""Top-k metrics."""

from recs.metrics import Factorized, FactorizedTopK

__all__ = ["Factorized", "FactorizedTopK"]
