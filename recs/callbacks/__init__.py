"""Keras callbacks for models with embedding tables."""

from recs.callbacks.background_checkpoint import BackgroundCheckpoint
from recs.callbacks.eviction import Eviction
from recs.callbacks.retrieval_metrics import RetrievalMetrics
from recs.callbacks.table_statistics import TableStatistics
from recs.training.epoch_order import EpochOrder

__all__ = ["BackgroundCheckpoint", "EpochOrder", "Eviction", "RetrievalMetrics", "TableStatistics"]
