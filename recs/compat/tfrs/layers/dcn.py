"""The cross layer."""

from recs.layers.feature_interaction import Cross

__all__ = ["Cross"]
