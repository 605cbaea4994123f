"""The helpers of TFRS's tutorials on MovieLens."""

from recs.examples.movielens import evaluate, sample_listwise

__all__ = ["evaluate", "sample_listwise"]
