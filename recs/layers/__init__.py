"""Keras layers for recommenders."""

from recs.layers import (
    admission,
    blocks,
    cold,
    dcn,
    eviction,
    factorized_top_k,
    feature_interaction,
    loss,
    multi_domain,
    multi_task,
    negatives,
    ranking,
    sequence,
)
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.layers.embedding_collection import EmbeddingCollection
from recs.layers.feature_config import FeatureConfig
from recs.layers.frequency_estimate import FrequencyEstimate
from recs.layers.recent_records import RecentRecords
from recs.layers.table_config import TableConfig
from recs.layers.table_snapshot import TableSnapshot
from recs.layers.table_summary import table_summary

__all__ = [
    "DynamicEmbedding",
    "EmbeddingCollection",
    "FeatureConfig",
    "FrequencyEstimate",
    "RecentRecords",
    "TableConfig",
    "TableSnapshot",
    "admission",
    "blocks",
    "cold",
    "dcn",
    "eviction",
    "factorized_top_k",
    "feature_interaction",
    "loss",
    "multi_domain",
    "multi_task",
    "negatives",
    "ranking",
    "sequence",
    "table_summary",
]
