"""The losses of one positive against many negatives, against NumPy in float64."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.loss import Temperature
from recs.losses import BPR, CosineContrastive, Hinge, InBatchSoftmax, SampledSoftmax


def _weighted(values, logs):
    weights = np.exp(-logs)
    return (values * weights).sum() / weights.sum()


# Of a positive, its negatives, and the logs of both's probabilities.
FORMULAS = {
    InBatchSoftmax: lambda p, n, own, logs: (
        -np.log(np.exp(p - own) / (np.exp(p - own) + np.exp(n - logs).sum()))
    ),
    SampledSoftmax: lambda p, n, own, logs: (
        -np.log(np.exp(p) / (np.exp(p) + (np.exp(n) / (len(n) * np.exp(logs))).sum()))
    ),
    BPR: lambda p, n, own, logs: _weighted(np.log1p(np.exp(n - p)), logs),
    CosineContrastive: lambda p, n, own, logs: (
        1 - p + 150 * _weighted(np.maximum(n - 0.8, 0), logs)
    ),
    Hinge: lambda p, n, own, logs: _weighted(np.maximum(1 - p + n, 0), logs),
}


@pytest.fixture
def given(rng):
    mask = rng.random((6, 9)) > 0.3
    mask[:, 0] = True
    return {
        "positive": rng.normal(size=6),
        "negatives": rng.normal(size=(6, 9)),
        "mask": mask,
        "positive_log_probability": np.log(rng.uniform(0.01, 1, 6)),
        "log_probability": np.log(rng.uniform(0.01, 1, (6, 9))),
    }


@pytest.mark.parametrize("loss", FORMULAS)
@pytest.mark.parametrize("names", [(), ("mask",), ("mask", "positive_log_probability")])
def test_rows(given, loss, names):
    corrected = "positive_log_probability" in names
    options = {name: given[name] for name in names}
    options |= {"log_probability": given["log_probability"]} if corrected else {}
    got = loss().rows(given["positive"], given["negatives"], **options)
    for i in range(6):
        kept = given["mask"][i] if "mask" in names else np.ones(9, bool)
        own = given["positive_log_probability"][i] if corrected else 0.0
        logs = given["log_probability"][i, kept] if corrected else np.zeros(kept.sum())
        if loss is SampledSoftmax and not corrected:
            logs = logs - np.log(kept.sum())  # without probabilities a plain sum
        want = FORMULAS[loss](given["positive"][i], given["negatives"][i, kept], own, logs)
        np.testing.assert_allclose(got[i], want, rtol=1e-9)


@pytest.mark.parametrize("loss", FORMULAS)
def test_as_a_keras_loss(rng, loss):
    labels = np.array([[0, 1, 0, -1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 2, 0]], "float32")
    scores = rng.normal(size=(4, 4)).astype("float32")
    rows = [(1, [0, 2]), (0, [1, 2, 3]), None, (2, [0, 3])]
    want = []
    for row, found in zip(scores / 0.5, rows, strict=True):
        if found is None:
            want.append(0.0)
            continue
        logs = np.full(len(found[1]), -np.log(len(found[1])) if loss is SampledSoftmax else 0.0)
        want.append(FORMULAS[loss](row[found[0]], row[found[1]], 0.0, logs))
    none = loss(temperature=0.5, reduction=None)(labels, scores)
    np.testing.assert_allclose(none, want, rtol=1e-5)
    np.testing.assert_allclose(loss(temperature=0.5)(labels, scores), np.mean(want), rtol=1e-5)


@pytest.mark.parametrize("loss", FORMULAS)
def test_no_negatives_and_far_scores_stay_finite(loss):
    for scores in (np.zeros((2, 1)), np.full((2, 1), 1e30), np.zeros((2, 0))):
        labels = np.ones_like(scores)
        assert np.isfinite(float(loss()(labels, scores.astype("float32"))))
    p, n = tf.constant([-1e30, 1e30]), tf.constant([[1e30, -1e30], [1e30, -1e30]])
    logs = tf.constant([[-27.0, 0.0], [0.0, -27.0]])
    with tf.GradientTape() as tape:
        tape.watch([p, n])
        rows = loss().rows(p, n, None, tf.constant([-27.0, 0.0]), logs)
    assert all(np.isfinite(g).all() for g in tape.gradient(rows, [p, n]))


def test_a_learned_temperature_trains_with_a_model():
    temperature = Temperature(1.0)

    class Scores(keras.Model):
        def __init__(self):
            super().__init__()
            self.temperature = temperature

        def call(self, inputs):
            return inputs

    model = Scores()
    model.compile(keras.optimizers.SGD(0.5), loss=InBatchSoftmax(temperature))
    scores, labels = np.array([[2.0, 1.0, 0.0]]), np.array([[1, 0, 0]])
    model.fit(scores, labels, epochs=3, verbose=0)
    assert float(temperature.value) < 0.8  # the right one is first: sharper is better


def test_errors():
    with pytest.raises(ValueError, match=r"`temperature` must be positive\. .*BPR 'bpr'"):
        BPR(temperature=0)
    with pytest.raises(ValueError, match="`negative_weight` must not be negative"):
        CosineContrastive(negative_weight=-1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("loss", FORMULAS)
def test_what_is_left_out_may_be_anything(rng, loss, value):
    # Further positives, padding, and a row without a positive.
    labels = np.array([[2, 0, 1, 0, -1], [0, 0, 1, -1, -1], [0, 0, 0, -1, 0]], "float32")
    scores = rng.normal(size=labels.shape).astype("float32")
    left_out = np.array([[0, 0, 1, 0, 1], [0, 0, 0, 1, 1], [1, 1, 1, 1, 1]], bool)
    results = []
    for filler in (0.0, value):
        given = tf.constant(np.where(left_out, np.float32(filler), scores))
        with tf.GradientTape() as tape:
            tape.watch(given)
            result = loss(reduction="sum")(labels, given)
        gradient = tape.gradient(result, given).numpy()
        assert not gradient[left_out].any()
        results.append((float(result), gradient))
    assert np.isfinite(results[0][0])
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
