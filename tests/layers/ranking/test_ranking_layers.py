"""Layers of rankers: formulas in NumPy, and what order and padding may not change."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.ranking import (
    DASALCScorer,
    DocumentInteractionAttention,
    FlattenList,
    GAMLayer,
    GroupwiseScoring,
    MaxNorm,
    PositionBias,
    RestoreList,
    create_tower,
)

RNG = np.random.default_rng(3)
X = RNG.normal(size=(4, 5, 3)).astype("float32")
MASK = np.arange(5) < np.array([5, 2, 1, 3])[:, None]
LISTWISE = {
    "attention": lambda: DocumentInteractionAttention(2, 6, num_layers=2),
    "dasalc": lambda: DASALCScorer((8, 4), head_size=6),
    "items alone": lambda: GroupwiseScoring(create_tower([4], 1, "relu"), group_size=1),
}
PADDED = {**LISTWISE, "groups": lambda: GroupwiseScoring(keras.layers.Dense(3), group_size=3)}


@pytest.mark.parametrize("name", LISTWISE)
def test_the_order_of_items_does_not_matter(name):
    layer = LISTWISE[name]()
    want = np.asarray(layer(X, mask=MASK))
    for order in (RNG.permutation(5), RNG.permutation(5)):
        got = np.asarray(layer(X[:, order], mask=MASK[:, order]))
        there = MASK[:, order]
        np.testing.assert_allclose(got[there], want[:, order][there], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PADDED)
def test_padding_changes_nothing(name):
    layer = PADDED[name]()
    want = np.asarray(layer(X, mask=MASK))
    changed = np.where(MASK[..., None], X, 77.0)
    longer = np.concatenate([changed, np.full((4, 3, 3), -5.0, "float32")], axis=1)
    got = layer(longer, mask=np.pad(MASK, [(0, 0), (0, 3)]))
    np.testing.assert_allclose(np.asarray(got)[:, :5][MASK], want[MASK], rtol=1e-4, atol=1e-5)
    none = layer(X, mask=np.zeros_like(MASK))
    assert np.isfinite(np.asarray(none)).all()


def groupwise(layer, order):
    """Returns scores, a loop over groups; `order` is that of the items of each list."""
    kernel, bias = (np.asarray(w) for w in layer.scorer.get_weights())
    size, scores = layer.group_size, np.zeros((4, 5))
    for b, items in enumerate(order):
        for p in range(len(items)):
            group = [items[(p + k) % len(items)] for k in range(size)]
            given = np.concatenate([X[b, i] for i in group]) @ kernel + bias
            for i, one in zip(group, given, strict=True):
                scores[b, i] += one / size
    return scores


def test_groups_roll_over_the_items():
    layer = GroupwiseScoring(keras.layers.Dense(3, bias_initializer="normal"), group_size=3)
    mask = MASK[:, [0, 2, 1, 4, 3]]  # padding between items
    items = [np.flatnonzero(row).tolist() for row in mask]
    got = layer(X, mask=mask)
    np.testing.assert_allclose(got, groupwise(layer, items), rtol=1e-4, atol=1e-5)


def test_groups_are_drawn_in_training():
    layer = GroupwiseScoring(keras.layers.Dense(2), group_size=2, seed=1)
    first, second = (np.asarray(layer(X, mask=MASK, training=True)) for _ in range(2))
    assert not np.allclose(first[0], second[0])
    # Of two items there is one circle.
    np.testing.assert_allclose(first[1], layer(X, mask=MASK)[1], rtol=1e-5, atol=1e-6)
    assert (first[~MASK] == 0).all()


def test_flattened_lists_come_back():
    mask = MASK[:, [0, 2, 1, 4, 3]]
    _, examples = FlattenList()(({}, {"x": X}, mask))
    scores = np.asarray(examples["x"])[:, 0]
    got = np.asarray(RestoreList(by_scatter=True)((scores, mask)))
    np.testing.assert_allclose(got[mask], X[..., 0][mask], rtol=1e-6)
    np.testing.assert_allclose(got[~mask], np.log(1e-10), rtol=1e-6)
    with pytest.raises(ValueError, match="example features"):
        FlattenList()(({}, {}, mask))
    with pytest.raises(ValueError, match="scores"):
        RestoreList()((X[..., 0], mask))


def test_dasalc_is_its_formula():
    layer = DASALCScorer((4,), num_heads=1, head_size=6)
    got = layer(X * 100, mask=MASK)
    z = np.sign(X) * np.log1p(np.abs(X * 100))
    dense, cross, score = (
        [np.asarray(w) for w in one.get_weights()]
        for one in (layer.hidden[0], layer.cross, layer.score)
    )
    seen = np.asarray(layer.attention(z, mask=MASK))
    hidden = np.maximum(z @ dense[0] + dense[1], 0)
    want = ((1 + seen @ cross[0] + cross[1]) * hidden) @ score[0] + score[1]
    np.testing.assert_allclose(got, want[..., 0], rtol=1e-4, atol=1e-5)


def test_position_bias_is_added_in_training_alone():
    layer = PositionBias(3)
    scores, places = X[..., 0], np.array([[1, 2, 3, 9, 0]] * 4)
    layer((scores, places))
    layer.set_weights([np.array([1.0, 2.0, 4.0])])
    want = scores + np.array([1.0, 2.0, 4.0, 4.0, 0.0])
    np.testing.assert_allclose(layer((scores, places), training=True), want, rtol=1e-5)
    np.testing.assert_array_equal(layer((scores, places)), scores)
    layer = PositionBias(3, dropout=0.5, seed=1)
    many = np.zeros((1000, 3), "float32"), np.ones((1000, 3), "int64")
    layer(many)
    layer.set_weights([np.ones(3)])
    np.testing.assert_allclose(np.mean(layer(many, training=True)), 0.5, atol=0.05)


def test_max_norm_and_its_gradient():
    rows = np.concatenate([X.reshape(-1, 3), np.zeros((1, 3), "float32"), X[0] * 1e30])
    x = tf.constant(rows)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        got = MaxNorm(0.7)(x) * rows[::-1].clip(-1, 1)
        want = tf.clip_by_norm(tf.cast(x, "float64"), 0.7, axes=[1]) * rows[::-1].clip(-1, 1)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    gradients = [np.asarray(tape.gradient(y, x)) for y in (got, want)]
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)


def test_additive_model_says_what_is_wrong():
    with pytest.raises(ValueError, match="context_hidden_layer_dims"):
        GAMLayer(1, [2], 1)
    with pytest.raises(ValueError, match="must be 2"):
        GAMLayer(2, [2])(([X[:, 0]], []))
    with pytest.raises(ValueError, match="must be 0"):
        GAMLayer(1, [2])(([X[:, 0]], [X[:, 0]]))


def test_additive_model_of_lists():
    layer = GAMLayer(2, [3], 1, [3], activation="relu", kernel_regularizer="l2")
    context = RNG.normal(size=(4, 1, 2)).astype("float32")
    scores, parts, weights = layer(([X[..., :1], X[..., 1:2]], [context]))
    want = (np.concatenate(parts, -1) * np.asarray(weights[0])).sum(-1, keepdims=True)
    np.testing.assert_allclose(scores, want, rtol=1e-5, atol=1e-6)
    assert len(layer.losses) == 3 * 2
