"""Dense blocks."""

from recs.layers.blocks import MLP

__all__ = ["MLP"]
