"""Keras layers for recommenders."""

from recs.layers.dynamic_embedding import DynamicEmbedding

__all__ = ["DynamicEmbedding"]
