"""What holds for every ranking loss: padding and order do not matter, gradients are finite."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recs import losses

PLAIN = {
    name: getattr(losses, name)
    for name in (
        "ApproxMRRLoss",
        "ApproxNDCGLoss",
        "CalibratedSoftmaxLoss",
        "ListMLELoss",
        "MeanSquaredLoss",
        "PairwiseHingeLoss",
        "PairwiseLogisticLoss",
        "PairwiseMSELoss",
        "PairwiseSoftZeroOneLoss",
        "SigmoidCrossEntropyLoss",
        "SoftmaxLoss",
        "UniqueSoftmaxLoss",
    )
}
WEIGHTED = {
    f"logistic-{type(weight).__name__}": lambda weight=weight: losses.PairwiseLogisticLoss(
        lambda_weight=weight
    )
    for weight in (
        losses.LabelDiffLambdaWeight(),
        losses.DCGLambdaWeight(smooth_fraction=0.5, topn=2),
        losses.NDCGLambdaWeight(),
        losses.NDCGLambdaWeightV2(topn=2),
        losses.YetiDCGLambdaWeight(),
        losses.PrecisionLambdaWeight(topn=2),
        losses.MRRLambdaWeight(),
    )
} | {
    "mse-ndcg": lambda: losses.PairwiseMSELoss(lambda_weight=losses.NDCGLambdaWeight()),
    "softmax-dcg": lambda: losses.SoftmaxLoss(lambda_weight=losses.DCGLambdaWeight()),
    "p-list-mle": lambda: losses.ListMLELoss(lambda_weight=losses.PListMLELambdaWeight(12)),
}
ALL = {**PLAIN, **WEIGHTED}
FEW = settings(max_examples=5, deadline=None)


@st.composite
def batches(draw):
    """Draws labels and scores with ties, padding, empty lists, lists of one, and extreme scores."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 7)))
    labels = draw(hnp.arrays("float32", shape, elements=st.integers(-1, 3).map(float)))
    sizes = st.one_of(st.integers(-3, 3).map(float), st.floats(-60, 60, width=16))
    return labels, draw(hnp.arrays("float32", shape, elements=sizes))


def value_and_gradient(loss, labels, scores, weights=None):
    scores = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = loss(labels, scores, weights)
    return float(value), np.asarray(tape.gradient(value, scores))


def close(got, want):
    scale = 1e-5 * max(1.0, abs(want[0]), float(np.abs(want[1]).max(initial=0)))
    np.testing.assert_allclose(got[0], want[0], rtol=1e-5, atol=scale)
    np.testing.assert_allclose(got[1], want[1], rtol=1e-4, atol=scale)


@pytest.mark.parametrize("name", ALL)
@given(batch=batches(), data=st.data())
@FEW
def test_the_order_of_items_does_not_matter(name, batch, data):
    labels, scores = batch
    order = np.array(data.draw(st.permutations(range(labels.shape[1]))))
    want = value_and_gradient(ALL[name](), labels, scores)
    got = value_and_gradient(ALL[name](), labels[:, order], scores[:, order])
    if name in WEIGHTED:
        # Items alike in label and score have ranks by place: the loss is the same, but the two
        # gradients may change places.
        np.testing.assert_allclose(got[0], want[0], rtol=1e-4, atol=1e-5)
        return
    close(got, (want[0], want[1][:, order]))


@pytest.mark.parametrize("name", ALL)
@given(batch=batches(), columns=st.integers(1, 4), rows=st.integers(0, 2))
@FEW
def test_padding_does_not_matter(name, batch, columns, rows):
    labels, scores = batch
    want = value_and_gradient(ALL[name](), labels, scores)
    pad = ((0, rows), (0, columns))
    more_labels = np.pad(labels, pad, constant_values=-1)
    more_scores = np.pad(scores, pad, constant_values=np.float32("nan"))
    got = value_and_gradient(ALL[name](), more_labels, more_scores)
    assert not got[1][:, labels.shape[1] :].any()
    assert not got[1][labels.shape[0] :].any()
    close((got[0], got[1][: labels.shape[0], : labels.shape[1]]), want)


@pytest.mark.parametrize("name", ALL)
@given(batch=batches())
@FEW
def test_values_and_gradients_are_finite(name, batch):
    labels, scores = batch
    for size in (1.0, 1e4, 1e-30):
        value, gradient = value_and_gradient(ALL[name](), labels, scores * np.float32(size))
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", ALL)
@given(batch=batches())
@FEW
def test_weights_of_one_are_no_weights(name, batch):
    labels, scores = batch
    want = value_and_gradient(ALL[name](), labels, scores)
    for weights in (1.0, np.ones(len(labels)), np.ones((len(labels), 1)), np.ones(labels.shape)):
        close(value_and_gradient(ALL[name](), labels, scores, weights), want)


@pytest.mark.parametrize("name", [n for n in ALL if "Calibrated" not in n])
def test_a_list_counts_as_often_as_it_weighs(name):
    rng = np.random.default_rng(3)
    labels = rng.permutation(15).reshape(3, 5).astype("float32") % 5
    scores = rng.normal(size=(3, 5)).astype("float32")
    loss = ALL[name]()
    loss.reduction = "sum"
    want = float(loss(labels[[0, 0, 1, 2]], scores[[0, 0, 1, 2]]))
    for weights in (np.array([2.0, 1.0, 1.0]), np.array([[2.0], [1.0], [1.0]])):
        np.testing.assert_allclose(float(loss(labels, scores, weights)), want, rtol=1e-5)


# Ranks have no gradient: those with lambda weights are checked against TF-Ranking instead.
@pytest.mark.parametrize("name", PLAIN)
def test_gradients_are_those_of_differences(name):
    rng = np.random.default_rng(5)
    labels = rng.integers(-1, 4, (3, 30)).astype("float32")
    scores = rng.normal(size=(3, 30)).astype("float32")
    weights = rng.random((3, 30)).astype("float32")
    loss = PLAIN[name]()
    _, gradient = value_and_gradient(loss, labels, scores, weights)
    direction = rng.normal(size=scores.shape).astype("float32")
    step = np.float32(2e-3)
    ahead = float(loss(labels, scores + step * direction, weights))
    behind = float(loss(labels, scores - step * direction, weights))
    want = (ahead - behind) / (2 * step)
    np.testing.assert_allclose((gradient * direction).sum(), want, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ALL)
def test_half_precision_is_computed_in_float32(name, policy):
    keras.config.set_dtype_policy(policy)
    rng = np.random.default_rng(6)
    labels = rng.integers(-1, 4, (3, 9)).astype("float32")
    dtype = policy.removeprefix("mixed_")
    half = tf.cast(rng.normal(size=(3, 9)), dtype)
    want = float(ALL[name]()(labels, tf.cast(half, "float32")))
    got = ALL[name]()(labels, half)
    assert got.dtype == "float32"
    np.testing.assert_allclose(float(got), want, rtol=1e-6)
