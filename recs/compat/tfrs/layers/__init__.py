"""Layers."""

from recs.compat.tfrs.layers import (
    blocks,
    dcn,
    embedding,
    factorized_top_k,
    feature_interaction,
    feature_multiplexing,
    loss,
)

__all__ = [
    "blocks",
    "dcn",
    "embedding",
    "factorized_top_k",
    "feature_interaction",
    "feature_multiplexing",
    "loss",
]
