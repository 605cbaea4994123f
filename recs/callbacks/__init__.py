"""Keras callbacks for models with embedding tables."""

from recs.callbacks.background_checkpoint import BackgroundCheckpoint
from recs.callbacks.eviction import Eviction
from recs.callbacks.table_statistics import TableStatistics

__all__ = ["BackgroundCheckpoint", "Eviction", "TableStatistics"]
