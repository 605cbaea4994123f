"""The helpers of TFRS's tutorials."""

from recs.compat.tfrs.examples import movielens

__all__ = ["movielens"]
