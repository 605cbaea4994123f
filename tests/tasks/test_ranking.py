"""`Ranking`: what TFRS does is in tests/parity; here the rest."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.tasks import Ranking


def test_default_is_binary_crossentropy():
    y, p = np.array([[1.0], [0.0]], "float32"), np.array([[0.8], [0.4]], "float32")
    want = -(np.log(0.8) + np.log(0.6)) / 2
    np.testing.assert_allclose(Ranking()(y, p), want, rtol=1e-5)


def test_lone_metrics_names_and_flags():
    metrics = [keras.metrics.MeanSquaredError(), *(keras.metrics.Mean() for _ in range(3))]
    task = Ranking(keras.losses.MeanSquaredError(), *metrics)
    y, p = np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]])
    assert float(task(y, p, None, True, False)) == 0.5
    assert [float(m.result()) for m in metrics] == [0.0] * 4
    task(y, p)
    assert [float(m.result()) for m in metrics] == [0.5, 2.5, 2.0, 0.5]
    assert task.metrics == metrics


@pytest.mark.parametrize("weight", [None, np.array([1.0, 3.0], "float32")])
def test_masked_predictions_count_nowhere(weight):
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    table = keras.layers.Embedding(4, 1, mask_zero=True, embeddings_initializer="ones")
    mean = keras.metrics.Mean()
    task = Ranking(keras.losses.MeanSquaredError(reduction="sum"), label_metrics=mean)
    labels = np.array([[1.0, 3.0, 99.0], [2.0, 99.0, 99.0]], "float32")[:, :, None]
    given = None if weight is None else np.repeat(weight[:, None], 3, axis=1)
    loss = task(labels, table(ids), sample_weight=given)
    w = np.ones(2) if weight is None else weight
    want = (1 * w[0] + 3 * w[0] + 2 * w[1]) / (2 * w[0] + w[1])
    np.testing.assert_allclose(mean.result(), want, rtol=1e-6)
    np.testing.assert_allclose(loss, 0 * w[0] + 4 * w[0] + 1 * w[1], rtol=1e-6)


def test_weights_of_lists_meet_masks_of_items():
    mean = keras.metrics.Mean()
    ids = np.array([[1, 0], [1, 1]])
    table = keras.layers.Embedding(2, 1, mask_zero=True)
    labels = np.array([[1.0, 9.0], [2.0, 2.0]], "float32")[:, :, None]
    weight = np.array([[1.0], [0.5]], "float32")
    task = Ranking(keras.losses.MeanSquaredError(), label_metrics=mean)
    task(labels, table(ids), sample_weight=weight)
    np.testing.assert_allclose(mean.result(), 1.5, rtol=1e-6)


def test_labels_keep_their_precision():
    keras.config.set_dtype_policy("mixed_float16")
    mean = keras.metrics.Mean()
    labels = np.array([[70001.0]], "float32")
    loss = Ranking(keras.losses.MeanSquaredError(), label_metrics=mean)(labels, labels + 1)
    assert float(mean.result()) == 70001.0
    assert float(loss) == 1.0


def test_empty_batch():
    empty = np.zeros((0, 1), "float32")
    assert float(Ranking()(empty, empty)) == 0.0


def test_config_gives_back_every_argument():
    task = Ranking(
        keras.losses.Huber(delta=0.3),
        [keras.metrics.AUC(name="auc", num_thresholds=9)],
        keras.metrics.Mean(name="p"),
        keras.metrics.Mean(name="y"),
        keras.metrics.Mean(name="l"),
        name="task",
    )
    again = Ranking.from_config(task.get_config())
    assert again.get_config() == task.get_config()
    assert [m.name for m in again.metrics] == ["auc", "p", "y", "l"]
