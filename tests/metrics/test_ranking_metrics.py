"""Ranking metrics: ties, padding, weights, batches and errors."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from recs import metrics
from recs.losses.functional.ranking.lists import as_lists
from recs.metrics.functional import ranking

CUT = {
    name: getattr(metrics, name)
    for name in (
        "BPrefMetric",
        "DCGMetric",
        "HitsMetric",
        "MRRMetric",
        "MeanAveragePrecisionMetric",
        "NDCGMetric",
        "PWAMetric",
        "PrecisionMetric",
        "RecallMetric",
    )
}
ALL = {**CUT, "ARPMetric": metrics.ARPMetric, "OPAMetric": metrics.OPAMetric}
# The smaller, the better.
DESCENDING = {"ARPMetric"}
FEW = settings(max_examples=8, deadline=None)


@st.composite
def batches(draw):
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 6)))
    labels = draw(hnp.arrays("float32", shape, elements=st.integers(-1, 3).map(float)))
    return labels, draw(hnp.arrays("float32", shape, elements=st.integers(-2, 2).map(float)))


@pytest.mark.parametrize("name", ALL)
@given(batch=batches(), data=st.data())
@FEW
def test_the_order_of_items_does_not_matter(name, batch, data):
    labels, scores = batch
    order = np.array(data.draw(st.permutations(range(labels.shape[1]))))
    want = ALL[name]().per_list(labels, scores)
    got = ALL[name]().per_list(labels[:, order], scores[:, order])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
@given(batch=batches(), columns=st.integers(1, 4))
@FEW
def test_padding_does_not_matter(name, batch, columns):
    labels, scores = batch
    pad = ((0, 2), (0, columns))
    metric, padded = ALL[name](), ALL[name]()
    metric.update_state(labels, scores)
    more = np.pad(scores, pad, constant_values=np.float32("nan"))
    padded.update_state(np.pad(labels, pad, constant_values=-1), more)
    np.testing.assert_allclose(padded.result(), metric.result(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_the_worst_of_all_orders_of_equal_scores(name):
    labels = np.array([2.0, 0.0, 1.0, 0.0], "float32")
    orders = [labels[list(p)] for p in itertools.permutations(range(4))]
    found = [float(ALL[name]().per_list(y[None], np.array([[4.0, 3, 2, 1]]))[0][0]) for y in orders]
    for zeros in (np.zeros((1, 4)), np.full((1, 4), -7.25)):
        got = float(ALL[name]().per_list(labels[None], zeros)[0][0])
        np.testing.assert_allclose(got, max(found) if name in DESCENDING else min(found), 1e-6)
    if name != "OPAMetric":
        placed = ALL[name](ties="position").per_list(labels[None], np.zeros((1, 4)))[0][0]
        np.testing.assert_allclose(placed, found[0], 1e-6)


@pytest.mark.parametrize("name", ALL)
def test_neighbouring_scores_are_not_ties(name):
    labels = np.array([[1.0, 0.0, 0.0]])
    for base in (1.0, 1e-20, 3e10, -5.0):
        upper = np.nextafter(np.float32(base), np.float32("inf"))
        scores = np.array([[upper, base, base]], "float32")
        want = ALL[name]().per_list(labels, [[3.0, 2.0, 1.0]])[0]
        np.testing.assert_allclose(ALL[name]().per_list(labels, scores)[0], want, 1e-6)


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_batches_do_not_matter(name, batch):
    rng = np.random.default_rng(2)
    labels = rng.integers(-1, 3, (4, 6)).astype("float32")
    labels[1], labels[2] = 0, -1
    scores, weights = rng.normal(size=(4, 6)), rng.random((4, 6))
    whole, parts = CUT[name](topn=3), CUT[name](topn=3)
    whole.update_state(labels, scores, weights)
    for at in range(0, 4, batch):
        rows = slice(at, at + batch)
        parts.update_state(labels[rows], scores[rows], weights[rows])
    np.testing.assert_allclose(parts.result(), whole.result(), rtol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_all_ways_to_tell_what_is_not_an_item(name):
    rng = np.random.default_rng(4)
    lengths = np.array([3, 1, 0, 2])
    there = np.arange(5) < lengths[:, None]
    labels = rng.integers(0, 3, (4, 5)).astype("float32")
    scores = rng.normal(size=(4, 5)).astype("float32")
    want = ALL[name]().per_list(np.where(there, labels, -1), scores)
    tensor = tf.constant(scores)
    tensor._keras_mask = tf.constant(there)
    ragged = [tf.RaggedTensor.from_tensor(x, lengths) for x in (labels, scores)]
    for inputs in (
        (labels, scores, None, there),
        (labels, tensor),
        ({"labels": labels, "mask": there}, scores),
        (ragged[0], ragged[1]),
        (ragged[0], scores),
        (labels, scores, there.astype("float32")),
    ):
        np.testing.assert_allclose(ALL[name]().per_list(*inputs), want, rtol=1e-6)


def test_weights_of_lists():
    labels = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    scores = np.array([[2.0, 1.0]] * 3)
    values, weights = metrics.MRRMetric().per_list(labels, scores, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(values, [1.0, 0.5, 0.0])
    np.testing.assert_allclose(weights, [1.0, 2.0, 3.0])
    items = np.array([[3.0, 1.0], [3.0, 1.0], [3.0, 1.0]])
    _, weights = metrics.MRRMetric().per_list(labels, scores, items)
    np.testing.assert_allclose(weights, [3.0, 1.0, 2.0])


@pytest.mark.parametrize("name", ALL)
def test_in_compile_and_half_precision(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    metric = ALL[name]()
    labels = tf.constant([[1.0, 0.0, 2.0]])
    metric.update_state(labels, tf.constant([[3.0, 2.0, 1.0]], "bfloat16"))
    want = ALL[name]().per_list(labels, [[3.0, 2.0, 1.0]])[0][0]
    np.testing.assert_allclose(metric.result(), want, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.NDCGMetric(topn=0), "`topn` must be a positive integer"),
        (lambda: metrics.NDCGMetric(ties="random"), "`ties` must be one of"),
        (lambda: metrics.get("auc"), "`key` must be one of"),
        (lambda: metrics.AlphaDCGMetric().per_list([[1.0]], [[1.0]]), "must be of shape"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("size", [7, 300])
@pytest.mark.parametrize("topn", [None, 5])
def test_average_precision_of_short_and_of_long_lists(size, topn):
    """Short ones are summed up by a matrix, long ones along the list."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, (3, size)).astype("float32")
    scores = rng.normal(size=(3, size)).astype("float32")
    values, _ = metrics.MeanAveragePrecisionMetric(topn=topn).per_list(labels, scores)
    for y, s, found in zip(labels, scores, values, strict=True):
        ranked = y[np.argsort(-s)]
        precisions = np.cumsum(ranked) / np.arange(1, size + 1)
        want = (precisions * ranked)[:topn].sum() / ranked.sum()
        np.testing.assert_allclose(found, want, rtol=1e-5)


@pytest.mark.parametrize("size", [0.0, 1e-30, -3.0, 1e30])
def test_of_equal_scores_of_any_size_the_lower_label_comes_first(size):
    labels = np.array([[1000.0, 2.0, 1001.0, 0.5]], "float32")
    scores = np.full((1, 4), size, "float32")
    ranked = ops.convert_to_numpy(
        ranking.judged(as_lists(labels, scores, where="here"), True, False).first(None, labels)[0]
    )
    assert ranked.tolist() == np.sort(labels).tolist()
