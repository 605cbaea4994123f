"""Embeddings of ids without a row: the `cold_ids` argument of `DynamicEmbedding`."""

from recs.layers.cold.from_features import FromFeatures
from recs.layers.cold.mean_row import MeanRow
from recs.layers.cold.shared_rows import SharedRows

__all__ = ["FromFeatures", "MeanRow", "SharedRows"]
