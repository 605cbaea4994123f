"""Folders of changes: what a model in training leaves behind for those that serve it."""

from recs.export.deltas.delta_folder import DeltaFolder

__all__ = ["DeltaFolder"]
