"""Experimental layers."""

from recs.compat.tfrs.experimental.layers import embedding

__all__ = ["embedding"]
