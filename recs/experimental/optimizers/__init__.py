"""Optimizers that TFRS has as experimental."""

from recs.experimental.optimizers.clippy_adagrad import ClippyAdagrad
from recs.experimental.optimizers.composite_optimizer import CompositeOptimizer

__all__ = ["ClippyAdagrad", "CompositeOptimizer"]
