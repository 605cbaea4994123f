"""Gains `2^y - 1` of any label: those of NumPy in float64, or an error; never NaN."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs import losses, metrics
from recs.evaluation import per_domain

LABELS = [
    [127, 1, 0, 3],
    [128, 1, 0, 3],
    [1000, 999, 998.5, 0],
    [1000, 1, 500, 1e-3],
    [24, 24.5, 25, 23.5],
    [3, 2.5, 0.25, 0],
    [1e-6, 2e-6, 0, 0],
    [0, 0, 0, 0],
]
SCORES = np.array([[0.1, 0.4, 0.3, 0.2]], "float32")
DISCOUNTS = 1 / np.log2(np.arange(4) + 2)


def _gains(labels):
    return np.expm1(np.asarray(labels, np.float64) * np.log(2))


def _ndcg(labels):
    gains = _gains(labels)
    best = (np.sort(gains)[::-1] * DISCOUNTS).sum()
    return (gains[np.argsort(-SCORES[0])] * DISCOUNTS).sum() / best if best else 0.0


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("tfr_compatible", [False, True])
def test_ndcg(labels, tfr_compatible):
    metric = metrics.NDCGMetric(tfr_compatible=tfr_compatible)
    got = metric.per_list([[*labels, -1]], np.append(SCORES, 9)[None])[0]
    np.testing.assert_allclose(got, [_ndcg(labels)], rtol=2e-6)


@pytest.mark.parametrize("labels", LABELS[:-1])
def test_ndcg_of_domains(labels):
    ones = np.ones(4)
    found = per_domain(np.array(labels), SCORES[0], ones, ones)["1.0"]
    np.testing.assert_allclose(found["ndcg@10"], _ndcg(labels), rtol=1e-12)


@pytest.mark.parametrize("labels", LABELS)
def test_the_smooth_ndcg_and_its_gradient(labels):
    scores = SCORES.astype(np.float64)[0]
    apart = (scores[None] - scores[:, None]) / 0.1

    def loss(apart):
        ranks = 0.5 + (1 / (1 + np.exp(-apart))).sum(axis=1)
        gains = _gains(labels)
        best = (np.sort(gains)[::-1] / np.log1p(np.arange(4) + 1)).sum()
        return -(gains / np.log1p(ranks)).sum() / best if best else 0.0

    given = tf.constant(SCORES)
    with tf.GradientTape() as tape:
        tape.watch(given)
        got = losses.ApproxNDCGLoss()([labels], given)
    np.testing.assert_allclose(got, loss(apart), rtol=1e-5)
    gradient = np.asarray(tape.gradient(got, given))[0]
    for i, step in enumerate(np.eye(4) * 1e-5):
        ahead = apart + (step[None] - step[:, None])
        behind = apart - (step[None] - step[:, None])
        want = (loss(ahead) - loss(behind)) / 2e-5 / 0.1
        np.testing.assert_allclose(gradient[i], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weight", [losses.NDCGLambdaWeight, losses.NDCGLambdaWeightV2])
@pytest.mark.parametrize("labels", LABELS)
def test_pairs_weighed_by_ndcg(weight, labels):
    got = losses.PairwiseLogisticLoss(reduction="sum", lambda_weight=weight())([labels], SCORES)
    gains, ranks = _gains(labels), np.argsort(np.argsort(-SCORES[0])) + 1
    best = (np.sort(gains)[::-1] * DISCOUNTS).sum()
    want = 0.0
    for i, j in np.argwhere(gains[:, None] > gains):
        gap = abs(ranks[i] - ranks[j])
        step = 1 / np.log2(gap + 1) - 1 / np.log2(gap + 2)
        lag = float(SCORES[0, j]) - float(SCORES[0, i])
        want += 4 * (gains[i] - gains[j]) / best * step * np.log1p(np.exp(lag))
    np.testing.assert_allclose(got, want, rtol=1e-5)


ABSOLUTE = {
    "DCGMetric": lambda: metrics.DCGMetric().per_list,
    "UniqueSoftmaxLoss": losses.UniqueSoftmaxLoss,
    "YetiDCGLambdaWeight": lambda: losses.PairwiseLogisticLoss(
        lambda_weight=losses.YetiDCGLambdaWeight()
    ),
}


@pytest.mark.parametrize("name", ABSOLUTE)
def test_gains_that_are_not_relative_are_refused_beyond_float32(name):
    call = ABSOLUTE[name]()
    assert np.isfinite(np.asarray(call([[100.0, 1.0, 0.0, 3.0]], SCORES))).all()
    for top in (101.0, 1000.0, np.inf):
        labels = np.array([[top, 1, 0, 3]], "float32")
        with pytest.raises(ValueError, match=rf"Labels must be at most 100.*a label of .*{name}"):
            call(labels, SCORES)
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"must be at most 100.*{name}"):
            tf.function(call, autograph=False)(tf.constant(labels), tf.constant(SCORES))


def test_dcg_of_large_labels():
    for labels in ([100, 99.5, 0, 1], [60, 1, 59, 0], [3, 2.5, 0.25, 0]):
        got = metrics.DCGMetric().per_list([labels], SCORES)[0]
        want = (_gains(labels)[np.argsort(-SCORES[0])] * DISCOUNTS).sum()
        np.testing.assert_allclose(got, [want], rtol=1e-5)


@pytest.mark.parametrize("name", ["NDCGMetric", "DCGMetric", "MRRMetric", "PWAMetric", "ARPMetric"])
def test_labels_that_are_negative_or_nan_are_no_items(name):
    want = getattr(metrics, name)().per_list([[2.0, 0.0, 1.0]], [[0.1, 0.4, 0.2]])
    labels, scores = [[2.0, np.nan, 0.0, -3.0, 1.0]], [[0.1, 0.9, 0.4, 0.8, 0.2]]
    got = getattr(metrics, name)().per_list(labels, scores)
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_domains_refuse_labels_below_zero():
    for label in (-1.0, np.inf):
        with pytest.raises(ValueError, match="`labels` must be 0 or more, or NaN"):
            per_domain(np.array([label, 1.0]), np.ones(2), np.ones(2))
