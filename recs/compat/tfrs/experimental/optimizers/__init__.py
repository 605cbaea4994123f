"""Experimental optimizers."""

from recs.compat.tfrs.experimental.optimizers import clippy_adagrad, composite_optimizer
from recs.experimental.optimizers import ClippyAdagrad, CompositeOptimizer

__all__ = ["ClippyAdagrad", "CompositeOptimizer", "clippy_adagrad", "composite_optimizer"]
