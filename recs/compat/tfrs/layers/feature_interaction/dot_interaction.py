"""The dot products of all pairs of features."""

from recs.layers.feature_interaction import DotInteraction

__all__ = ["DotInteraction"]
