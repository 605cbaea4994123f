"""Recommender models for Keras 3, on embeddings that grow with the ids they see."""

from recs.version import __version__

__all__ = ["__version__"]
