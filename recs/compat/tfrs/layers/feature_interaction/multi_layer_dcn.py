"""Several cross layers."""

from recs.layers.feature_interaction import MultiLayerDCN

__all__ = ["MultiLayerDCN"]
