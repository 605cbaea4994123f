"""The TFRS side of corpus_metrics.py: runs alone, under TF_USE_LEGACY_KERAS=1, without recs."""

from __future__ import annotations

import pathlib
import sys

import tensorflow as tf
import tensorflow_recommenders as tfrs

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from benchmarks import turns
from benchmarks.corpus_data import calls_of


def make(case):
    """Returns a call that takes all pairs into account."""
    corpus = tfrs.metrics.FactorizedTopK
    return calls_of(case, corpus, tf.keras.layers.Embedding, tfrs.layers.factorized_top_k)


if __name__ == "__main__":
    turns.answer({"metric": make})
