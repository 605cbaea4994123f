"""Evaluation and sampling of MovieLens, as the tutorials of TFRS call them.

The datasets are those of `recs.data.movielens.load().to_dataset(...)`, or of TensorFlow Datasets.
"""

from recs.examples.movielens.evaluate import evaluate
from recs.examples.movielens.sample_listwise import sample_listwise

__all__ = ["evaluate", "sample_listwise"]
