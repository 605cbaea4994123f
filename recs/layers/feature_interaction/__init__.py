"""Layers in which features meet each other."""

from recs.layers.feature_interaction.cross import Cross
from recs.layers.feature_interaction.dot_interaction import DotInteraction
from recs.layers.feature_interaction.multi_layer_dcn import MultiLayerDCN

__all__ = ["Cross", "DotInteraction", "MultiLayerDCN"]
