"""The interface, on a metric of a user's own."""

from __future__ import annotations

import keras
import numpy as np

from recs.metrics import Factorized


class MeanNorm(Factorized):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mean = keras.metrics.Mean(name="norm")

    def update_state(
        self,
        query_embeddings,
        true_candidate_embeddings,
        true_candidate_ids=None,
        sample_weight=None,
    ):
        norms = keras.ops.norm(query_embeddings, axis=1)
        self.mean.update_state(norms, sample_weight=sample_weight)


def test_result_and_reset_come_with_it():
    metric = MeanNorm()
    metric.update_state(np.array([[3.0, 4.0]]), None)
    assert [float(x) for x in metric.result()] == [5.0]
    metric.reset_state()
    assert [float(x) for x in metric.result()] == [0.0]
