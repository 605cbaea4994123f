"""Layers that models are put together from."""

from recs.layers.blocks.mlp import MLP

__all__ = ["MLP"]
