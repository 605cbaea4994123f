"""One optimizer per group of weights."""

from recs.experimental.optimizers import CompositeOptimizer

__all__ = ["CompositeOptimizer"]
