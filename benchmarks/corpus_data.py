"""What both sides of corpus_metrics.py compute, each with its own classes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

KS = (1, 5, 10, 50, 100)


def calls_of(case, metric_class, embedding_class, layers):
    """Returns a call that takes all pairs of a case into account, as TFRS's tutorials do it.

    Args:
        case: `items`, `pairs`, `batch`, `dim`, `by` ("score" or "id") and `index` ("dataset", the
            candidates encoded anew for every batch, or "brute_force", encoded once).
        metric_class: The side's `FactorizedTopK`.
        embedding_class: The side's `Embedding`.
        layers: The side's `factorized_top_k`.
    """
    rng = np.random.default_rng(3)
    tower = embedding_class(case["items"], case["dim"])
    tower.build(None)
    tower.embeddings.assign(rng.normal(size=(case["items"], case["dim"])).astype("float32"))
    ids = tf.data.Dataset.range(case["items"]).batch(128)
    corpus = ids.map(lambda some: (some, tower(some))) if case["by"] == "id" else ids.map(tower)
    if case["index"] == "brute_force":
        corpus = layers.BruteForce(k=max(KS)).index_from_dataset(corpus)
    metric = metric_class(corpus, ks=KS)
    chosen = tf.constant(rng.integers(0, case["items"], case["pairs"]))
    noise = tf.constant(rng.normal(size=(case["pairs"], case["dim"])).astype("float32") * 3)

    @tf.function
    def update(some, queries):
        true = tower(some)
        given = some if case["by"] == "id" else None
        metric.update_state(queries + true, true, true_candidate_ids=given)

    def run():
        metric.reset_states()
        for start in range(0, case["pairs"], case["batch"]):
            part = slice(start, start + case["batch"])
            update(chosen[part], noise[part])
        return [float(value) for value in metric.result()]

    return run
