"""Adagrad with clipped steps."""

from recs.experimental.optimizers import ClippyAdagrad
from recs.experimental.optimizers.shrink_by_references import shrink_by_references

__all__ = ["ClippyAdagrad", "shrink_by_references"]
