"""Layers that combine features."""

from recs.compat.tfrs.layers.feature_interaction import dcn, dot_interaction, multi_layer_dcn
from recs.layers.feature_interaction import Cross, DotInteraction, MultiLayerDCN

__all__ = ["Cross", "DotInteraction", "MultiLayerDCN", "dcn", "dot_interaction", "multi_layer_dcn"]
