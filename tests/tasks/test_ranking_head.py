"""`RankingHead`: losses of lists, from any scorer, any padding."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs import losses, metrics
from recs.layers.ranking import DocumentInteractionAttention, GroupwiseScoring
from recs.tasks import RankingHead

RNG = np.random.default_rng(5)
FEATURES = RNG.normal(size=(4, 5, 3)).astype("float32")
LENGTHS = np.array([5, 2, 1, 3])
MASK = np.arange(5) < LENGTHS[:, None]
LABELS = np.where(MASK, RNG.integers(0, 3, (4, 5)), -1).astype("float32")


def scorer():
    return keras.layers.Dense(1, kernel_initializer=keras.initializers.RandomNormal(seed=3))


def numpy_scores(layer):
    kernel, bias = (np.asarray(w) for w in layer.get_weights())
    return (FEATURES @ kernel + bias)[..., 0]


def softmax(labels, scores, mask):
    found = []
    for y, s, m in zip(labels, scores, mask, strict=True):
        y, s = y[m], s[m]
        found.append(-(y * (s - np.log(np.exp(s).sum()))).sum() if m.any() else None)
    return np.mean([x for x in found if x is not None])


def hinge(labels, scores, mask):
    total = 0.0
    for y, s, m in zip(labels, scores, mask, strict=True):
        y, s = y[m], s[m]
        for i in range(len(y)):
            total += sum(max(0, 1 - (s[i] - s[j])) for j in range(len(y)) if y[i] > y[j])
    return total / mask.sum()


def crossentropy(labels, scores, mask):
    y, s = labels[mask], scores[mask]
    return np.mean(np.log1p(np.exp(-s)) + (1 - y) * s)


@pytest.mark.parametrize(
    ("loss", "oracle"),
    [
        (None, softmax),
        ("pairwise_hinge_loss", hinge),
        ("sigmoid_cross_entropy_loss", crossentropy),
        (keras.losses.BinaryCrossentropy(from_logits=True), crossentropy),
    ],
    ids=["listwise", "pairwise", "pointwise", "keras"],
)
def test_the_loss_says_how_lists_are_learned(loss, oracle):
    labels = np.minimum(LABELS, 1)
    head = RankingHead(loss, scorer=scorer())
    got = float(head(labels, FEATURES))
    want = oracle(labels, numpy_scores(head.scorer), MASK)
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_a_keras_loss_takes_weights_of_lists_and_items():
    loss = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    scores = RNG.normal(size=(4, 5)).astype("float32")
    weights = RNG.random((4, 5)).astype("float32")
    errors = (LABELS - scores) ** 2
    for given in (weights, weights[:, :1], weights[:, 0]):
        w = np.broadcast_to(given.reshape(4, -1), (4, 5))[MASK]
        got = float(RankingHead(loss)(LABELS, scores, sample_weight=given))
        np.testing.assert_allclose(got, (errors[MASK] * w).sum() / w.sum(), rtol=1e-5)


def test_every_way_to_say_what_is_padding():
    head = RankingHead(metrics=metrics.NDCGMetric(), scorer=scorer())
    want = float(head(LABELS, FEATURES))
    known = np.abs(LABELS)
    ragged = tf.RaggedTensor.from_tensor
    longer = np.concatenate([FEATURES, FEATURES[:, :2] + 9], axis=1)
    ways = {
        "mask": ((known, FEATURES), {"mask": MASK}),
        "dict": (({"labels": known, "mask": MASK}, FEATURES), {}),
        "ragged": ((ragged(known, LENGTHS), ragged(FEATURES, LENGTHS)), {}),
        "ragged labels": ((ragged(known, LENGTHS), FEATURES), {}),
        "ragged features": ((known, ragged(FEATURES, LENGTHS)), {}),
        "labels of rank 3": ((LABELS[..., None], FEATURES), {}),
        "more padding": ((np.pad(LABELS, [(0, 0), (0, 2)], constant_values=-1), longer), {}),
    }
    ndcg = float(head._head_metrics[0].result())
    for name, (given, options) in ways.items():
        head._head_metrics[0].reset_state()
        got = float(head(*given, **options))
        np.testing.assert_allclose(got, want, rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(
            float(head._head_metrics[0].result()), ndcg, rtol=1e-5, err_msg=name
        )


class SeesMask(keras.layers.Layer):
    """Scores items by how many there are, so that the mask shows."""

    def call(self, inputs, mask=None):
        return inputs[..., 0] + 10.0 * keras.ops.cast(mask, "float32")


def test_scorers_get_the_mask():
    head = RankingHead(scorer=SeesMask())
    padded = RankingHead()(LABELS, FEATURES[..., 0] + 10.0 * MASK)
    np.testing.assert_allclose(head(LABELS, FEATURES), padded, rtol=1e-6)
    features, mask = (
        keras.Input((None, 3), name="features"),
        keras.Input((None,), dtype="bool", name="there"),
    )
    scores = features[..., 0] + keras.ops.cast(mask, "float32") * 10.0
    model = keras.Model({"features": features, "there": mask}, scores)
    head = RankingHead(scorer=model, mask_name="there")
    np.testing.assert_allclose(head(LABELS, {"features": FEATURES}), padded, rtol=1e-6)


def sequential():
    attention = DocumentInteractionAttention(1, 3, dropout=0.0)
    return keras.Sequential([attention, keras.layers.Dense(1)])


def functional():
    inputs = keras.Input((None, 3))
    return keras.Model(inputs, sequential()(inputs))


@pytest.mark.parametrize("make", [sequential, functional, SeesMask], ids=lambda m: m.__name__)
def test_scorers_that_take_the_mask_are_called_without_warnings(make):
    head = RankingHead(scorer=make())
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = head(LABELS, FEATURES)
    longer = np.pad(FEATURES, [(0, 0), (0, 2), (0, 0)], constant_values=9.0)
    padded = np.pad(LABELS, [(0, 0), (0, 2)], constant_values=-1)
    np.testing.assert_allclose(head(padded, longer), found, rtol=1e-4)


def test_list_dropout_leaves_items_out_in_training_alone():
    scores = np.zeros((2000, 4), "float32")
    labels = np.ones((2000, 4), "float32")
    count = keras.metrics.Sum()
    head = RankingHead(
        losses.MeanSquaredLoss(reduction="sum"), loss_metrics=count, list_dropout=0.5, seed=1
    )
    assert float(head(labels, scores)) == 8000.0
    # Of lists that lose all, one in 16, all stay.
    kept = float(head(labels, scores, training=True))
    np.testing.assert_allclose(kept, 2000 * (4 * 0.5 + 4 / 16), rtol=0.03)
    one = RankingHead(losses.MeanSquaredLoss(reduction="sum"), list_dropout=0.9, seed=1)
    assert float(one(labels[:, :1], scores[:, :1], training=True)) == 2000.0
    none = -np.ones((3, 4), "float32")
    assert float(head(none, scores[:3], training=True)) == 0.0


def test_dropped_items_are_masked_for_the_scorer_and_the_metrics():
    head = RankingHead(
        losses.MeanSquaredLoss(reduction="sum"), scorer=SeesMask(), list_dropout=0.5, seed=2
    )
    labels, features = np.zeros((200, 4), "float32"), np.zeros((200, 4, 1), "float32")
    # Items that are kept see the mask and score 10; the others do not count.
    loss = float(head(labels, features, training=True))
    assert loss % 100 == 0
    assert 0 < loss < 100 * 800


def test_plain_compile_with_the_scores_of_a_head():
    inputs = keras.Input((5, 3))
    head = RankingHead("approx_ndcg_loss", scorer=keras.layers.Dense(4), units=1)
    model = keras.Model(inputs, head.scores(inputs))
    model.compile("sgd", loss=head.loss, metrics=[metrics.NDCGMetric(name="ndcg")])
    logs = model.fit(FEATURES, LABELS, verbose=0).history
    assert np.isfinite([logs["loss"], logs["ndcg"]]).all()
    np.testing.assert_allclose(
        model.evaluate(FEATURES, LABELS, verbose=0)[0],
        float(head(LABELS, FEATURES)),
        rtol=1e-5,
    )


class Ranker(recs.Model):
    def __init__(self, head):
        super().__init__()
        self.head = head

    def compute_loss(self, inputs, training=False):
        return self.head(inputs["y"], inputs["x"])


def test_inside_a_model_it_learns_and_reports():
    y = np.argsort(np.argsort(FEATURES[..., 0])).astype("float32")
    data = tf.data.Dataset.from_tensors({"x": FEATURES, "y": y})
    head = RankingHead(metrics=metrics.NDCGMetric(name="ndcg"), scorer=keras.layers.Dense(1))
    model = Ranker(head)
    model.compile(keras.optimizers.Adam(0.1))
    history = model.fit(data.repeat(40), verbose=0, epochs=2, validation_data=data).history
    assert history["val_ndcg"][-1] > 0.95
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"list_dropout": 1.0}, "list_dropout"),
        ({"regularization_weight": -1}, "regularization_weight"),
        ({"units": 0}, "units"),
        ({"loss": lambda y, p: 0}, "loss"),
        ({"loss": "no_loss"}, "no_loss"),
    ],
)
def test_arguments_out_of_range(options, word):
    with pytest.raises(ValueError, match=word):
        RankingHead(**options)


def test_what_is_no_score_is_refused():
    with pytest.raises(ValueError, match="units=1"):
        RankingHead(scorer=keras.layers.Dense(1), units=1)(LABELS, FEATURES[:, 0])
    with pytest.raises(ValueError, match="labels"):
        RankingHead(scorer=keras.layers.Dense(2))(LABELS, FEATURES)


def groups(**kwargs):
    inner = keras.Sequential(
        [
            keras.layers.Dense(4, "tanh", kernel_regularizer=keras.regularizers.L2(0.1)),
            keras.layers.Dense(2, kernel_initializer=keras.initializers.RandomNormal(seed=2)),
        ]
    )
    return GroupwiseScoring(inner, group_size=2, **kwargs)


def test_groups_inside_a_head():
    """Losses of groups of two, written out, with what their scorer is regularized with."""
    layer = groups()
    head = RankingHead(scorer=layer, regularization_weight=2.0)
    loss = float(head(LABELS, FEATURES))
    first, second = layer.scorer.layers
    want = []
    for row, length in zip(FEATURES, LENGTHS, strict=True):
        scores = np.zeros(5)
        for i in range(length):
            j = (i + 1) % length
            hidden = np.concatenate([row[i], row[j]]) @ first.kernel + first.bias
            found = np.tanh(hidden) @ second.kernel.numpy() + second.bias.numpy()
            scores[i] += found[0] / 2
            scores[j] += found[1] / 2
        want.append(scores)
    np.testing.assert_allclose(loss, softmax(LABELS, np.array(want), MASK), rtol=1e-4)
    of_kernel = 2.0 * 0.1 * float((first.kernel.numpy() ** 2).sum())
    assert float(sum(head.losses)) == pytest.approx(of_kernel, rel=1e-5)


@pytest.mark.slow
def test_groups_inside_a_model_learn_with_dropout_of_items():
    y = np.argsort(np.argsort(FEATURES[..., 0])).astype("float32")
    y[1, 3:] = -1
    data = tf.data.Dataset.from_tensors({"x": FEATURES, "y": y})
    model = Ranker(RankingHead(scorer=groups(seed=1), list_dropout=0.2, members=2, seed=1))
    model.compile(keras.optimizers.Adam(0.05))
    before = model.evaluate(data, verbose=0, return_dict=True)
    model.fit(data.repeat(60), verbose=0)
    after = model.evaluate(data, verbose=0, return_dict=True)
    assert after["total_loss"] < 0.95 * before["total_loss"]
    assert after["regularization_loss"] > 0
