"""Losses that bring their gradients along: these are those of the formula, of every input."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs import losses
from recs.losses.functional.ranking import listwise, pointwise
from recs.losses.functional.ranking.logistic import binary_crossentropy, softplus

RNG = np.random.default_rng(12)
LABELS = RNG.integers(0, 3, (3, 5)).astype("float32")
SCORES = (4 * RNG.normal(size=(3, 5))).astype("float32")
VALID = np.arange(5) < np.array([5, 3, 0])[:, None]
UPSTREAM = np.array([1.0, -2.0, 3.0], "float32")


def gradients(function, *inputs):
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        found = function(*inputs)
    return found.numpy(), [x.numpy() for x in tape.gradient(found, inputs)]


def test_softmax():
    def weighed(labels, scores):
        labels = tf.where(VALID, labels, 0.0)
        return tf.reduce_sum(UPSTREAM * listwise.softmax(labels, scores, tf.constant(VALID)))

    found, (of_labels, of_scores) = gradients(weighed, LABELS, SCORES)
    total = 0.0
    for y, s, valid, upstream, a, b in zip(
        LABELS, SCORES, VALID, UPSTREAM, of_labels, of_scores, strict=True
    ):
        np.testing.assert_array_equal(np.r_[a[~valid], b[~valid]], 0)
        if not valid.any():
            continue
        y, s = y[valid].astype("float64"), s[valid].astype("float64")
        shares = np.exp(s) / np.exp(s).sum()
        total -= upstream * (y * np.log(shares)).sum()
        np.testing.assert_allclose(a[valid], -upstream * np.log(shares), rtol=1e-5, atol=1e-6)
        want = upstream * (y.sum() * shares - y)
        np.testing.assert_allclose(b[valid], want, rtol=1e-4, atol=1e-5)
    assert float(found) == pytest.approx(total, rel=1e-5)


def test_weights_that_are_learned_have_gradients():
    weights = RNG.uniform(0.5, 2.0, (3, 5)).astype("float32")
    loss = losses.SoftmaxLoss(reduction="sum")
    _, (found,) = gradients(lambda w: loss(LABELS, SCORES, sample_weight=w), weights)
    np.testing.assert_array_equal(found != 0, LABELS > 0)
    step = 0.01 * RNG.normal(size=weights.shape).astype("float32")
    ahead, behind = (loss(LABELS, SCORES, sample_weight=weights + sign * step) for sign in (1, -1))
    np.testing.assert_allclose((found * step).sum() * 2, float(ahead - behind), rtol=2e-3)


def test_binary_crossentropy():
    found, (of_labels, of_scores) = gradients(binary_crossentropy, LABELS, SCORES)
    y, s = LABELS.astype("float64"), SCORES.astype("float64")
    np.testing.assert_allclose(found, np.log1p(np.exp(s)) - s * y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_labels, -s, rtol=1e-6)
    np.testing.assert_allclose(of_scores, 1 / (1 + np.exp(-s)) - y, rtol=1e-5, atol=1e-6)


def test_softplus_of_any_size():
    x = np.array([-1e30, -100.0, -20.0, 0.0, 20.0, 100.0, 1e30], "float32")
    want = np.logaddexp(0.0, x.astype("float64"))
    np.testing.assert_allclose(softplus(x), want, rtol=1e-6, atol=1e-7)


def test_sums_of_items():
    labels, scores = (np.where(VALID, x, 0).astype("float32") for x in (LABELS, SCORES))
    for sums, items in (
        (lambda y, s: pointwise.squared_sums(y, s, tf.constant(VALID)), pointwise.mean_squared),
        (
            lambda y, s: pointwise.sigmoid_cross_entropy_sums(y, s, tf.constant(VALID)),
            pointwise.sigmoid_cross_entropy,
        ),
    ):
        found = gradients(
            lambda y, s, sums=sums: tf.reduce_sum(UPSTREAM * sums(y, s)), labels, scores
        )
        want = gradients(
            lambda y, s, items=items: tf.reduce_sum(
                UPSTREAM[:, None] * items(y, s, tf.constant(VALID))
            ),
            labels,
            scores,
        )
        np.testing.assert_allclose(found[0], want[0], rtol=1e-5)
        for own, other in zip(found[1], want[1], strict=True):
            np.testing.assert_allclose(own[VALID], other[VALID], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["MeanSquaredLoss", "SigmoidCrossEntropyLoss"])
def test_padding_has_no_gradient(name):
    loss = getattr(losses, name)()
    found, (slopes,) = gradients(lambda s: loss(LABELS, s, mask=VALID), SCORES + 9.0)
    ones = gradients(lambda s: loss(LABELS, s, np.ones((3, 5)), mask=VALID), SCORES + 9.0)
    np.testing.assert_array_equal(slopes[~VALID], 0)
    np.testing.assert_allclose(found, ones[0], rtol=1e-5)
    np.testing.assert_allclose(slopes, ones[1][0], rtol=1e-5, atol=1e-7)
