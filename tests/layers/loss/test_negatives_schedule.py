from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.layers.loss import NegativesSchedule
from recs.tasks import Retrieval
from tests.tasks import retrieval_oracle as oracle


def _narrowing():
    return keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [100.0, 3.0, 1.4])


def test_a_task_follows_it_in_training(rng):
    queries, candidates = rng.normal(size=(2, 8, 4))
    task = Retrieval(num_hard_negatives=NegativesSchedule(_narrowing()))

    def want(hard):
        return oracle.total(oracle.softmax, queries, candidates, hard=hard)

    np.testing.assert_allclose(task(queries, candidates), want(100))
    for hard in (100, 3, 1, 1):
        np.testing.assert_allclose(task(queries, candidates, training=True), want(hard))
    np.testing.assert_allclose(task(queries, candidates), want(1))
    assert int(task.non_trainable_weights[-1]) == 4


def test_batch_metrics_see_what_is_left(rng):
    metric = keras.metrics.MeanMetricWrapper(
        lambda labels, logits: keras.ops.sum(keras.ops.cast(logits > -1e30, "float32"), axis=1),
        name="kept",
    )
    schedule = NegativesSchedule(keras.optimizers.schedules.CosineDecay(3.0, 9, alpha=1.0))
    task = Retrieval(num_hard_negatives=schedule, batch_metrics=metric)
    task(*rng.normal(size=(2, 8, 4)))
    assert float(metric.result()) == 4.0  # the positive and three more


def test_errors():
    with pytest.raises(TypeError, match=r"`schedule` must be a .*LearningRateSchedule.*int"):
        NegativesSchedule(3)
