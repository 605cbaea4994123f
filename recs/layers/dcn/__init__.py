"""The cross layer, where users of TFRS look for it."""

from recs.layers.feature_interaction.cross import Cross

__all__ = ["Cross"]
