"""Target attention and its activation against their formulas."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers import DynamicEmbedding
from recs.layers.sequence import Dice, TargetAttention
from tests.layers.sequence import oracles
from tests.layers.sequence.test_encoders import PRESENT, RNG, X

TARGETS = RNG.normal(size=(6, 2, 4))
FULL = [0, 1, 2, 3, 5]


def network(layer):
    """Returns kernels and biases in turn, and what was given to each, float64."""
    rng = np.random.default_rng(2)
    pairs = [w for pair in zip(layer.kernels, layer.biases, strict=True) for w in pair]
    for w in pairs:
        w.assign(rng.normal(size=w.shape, scale=0.5))
    return pairs, [np.asarray(w, "float64") for w in pairs]


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("activation", ["sigmoid", "prelu", "dice"])
def test_it_is_the_paper_formula_with_its_gradients(activation, normalize):
    layer = TargetAttention([5, 3], activation, normalize)
    layer.build((None, 2, 4), (None, None, 4))
    variables, weights = network(layer)
    for number, size in enumerate((5, 3)):
        if activation == "prelu":
            layer.activations[number].alpha.assign(np.linspace(-0.5, 0.5, size)[None, None])
        if activation == "dice":
            layer.activations[number].alpha.assign(np.linspace(-0.5, 0.5, size))
            layer.activations[number].moving_mean.assign(np.linspace(-1, 1, size))
            layer.activations[number].moving_variance.assign(np.linspace(0.5, 2, size))

    def activate(x, number):
        size = x.shape[1]
        if activation == "sigmoid":
            return oracles.sigmoid(x)
        alpha = np.linspace(-0.5, 0.5, size)
        if activation == "prelu":
            return np.where(x > 0, x, alpha * x)
        spread = np.sqrt(np.linspace(0.5, 2, size) + 1e-8)
        p = oracles.sigmoid((x - np.linspace(-1, 1, size)) / spread)
        return p * x + (1 - p) * alpha * x

    probe = RNG.normal(size=(6, 2, 4))

    def by_hand(row, item, targets, x, w):
        return oracles.activation_unit(
            targets[row, item], x[row][PRESENT[row]], w, activate, normalize
        )

    def loss(targets, x, *w):
        return sum(
            float(by_hand(row, item, targets, x, w)[0] @ probe[row, item])
            for row in FULL
            for item in range(2)
        )

    targets, x = (tf.constant(a, tf.float32) for a in (TARGETS, X))
    with tf.GradientTape() as tape:
        tape.watch([targets, x])
        got, attention = layer(targets, x, history_mask=PRESENT, return_attention=True)
        total = tf.reduce_sum(got * probe)
    for row in range(6):
        for item in range(2):
            want, a = by_hand(row, item, TARGETS, X, weights) if row in FULL else (np.zeros(4), [])
            np.testing.assert_allclose(got[row, item], want, rtol=1e-4, atol=1e-5)
            assert not attention.numpy()[row, item][~PRESENT[row]].any()
            np.testing.assert_allclose(
                attention.numpy()[row, item][PRESENT[row]], a, rtol=1e-4, atol=1e-5
            )
    gradients = tape.gradient(total, [targets, x, [v.value for v in variables]])
    want = oracles.numeric_gradient(loss, [TARGETS, X, *weights])
    for a, b in zip(tf.nest.flatten(gradients), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=3e-4)


@pytest.mark.parametrize("training", [False, True])
def test_padding_changes_nothing_in_training_either(training):
    """Neither results, nor gradients, nor the statistics that training keeps."""
    wide = np.full((6, 9, 4), np.nan, "float32")
    wide[:, 3:8] = X
    present = np.zeros((6, 9), bool)
    present[:, 3:8] = PRESENT
    wide[~present] = 1e4
    ragged = tf.RaggedTensor.from_row_lengths(X.astype("float32")[PRESENT], PRESENT.sum(axis=1))
    found = []
    for history, mask in ((X.astype("float32"), PRESENT), (wide, present), (ragged, None)):
        layer = TargetAttention([5], seed=1)
        target = tf.constant(TARGETS[:, 0], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(target)
            y = layer(target, history, history_mask=mask, training=training)
        of_target = tape.gradient(y, target)
        dice = layer.activations[0]
        found.append([y, of_target, dice.moving_mean, dice.moving_variance])
    assert not found[0][0].numpy()[4].any()
    assert np.any(np.asarray(found[0][2])) == training
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_one_item_is_a_list_of_one():
    layer = TargetAttention(seed=1)
    x, targets = X.astype("float32"), TARGETS.astype("float32")
    lists, a = layer(targets, x, history_mask=PRESENT, return_attention=True)
    one, of_one = layer(targets[:, 1], x, history_mask=PRESENT, return_attention=True)
    np.testing.assert_allclose(one, lists[:, 1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_one, a[:, 1], rtol=1e-5, atol=1e-6)


def test_the_mask_of_an_embedding_reaches_it():
    items = DynamicEmbedding(4, key_dtype="string", mask_key="", seed=1)
    items.table.upsert(["a", "b", ""], np.eye(4)[:3] + 1)
    layer = TargetAttention(seed=1)
    target = items(tf.constant(["a", "a"]))
    want = layer(target, items(tf.constant([["a", "b"], ["b", "b"]])))
    got = layer(target, items(tf.constant([["", "a", "", "b"], ["b", "b", "", ""]])))
    np.testing.assert_allclose(got, want, rtol=1e-6)
    inputs = keras.Input((), dtype="string"), keras.Input((None,), dtype="string")
    model = keras.Model(inputs, layer(items(inputs[0]), items(inputs[1])))
    again = model([tf.constant(["a", "a"]), tf.constant([["", "a", "b"], ["b", "", "b"]])])
    np.testing.assert_allclose(again, want, rtol=1e-6)


def test_dice_is_its_formula_and_keeps_averages():
    rng = np.random.default_rng(4)
    x = rng.normal(3.0, 2.0, size=(50, 3))
    counts = rng.random(50) < 0.6
    layer = Dice(momentum=0.9)
    layer.build((None, 3))
    layer.alpha.assign([0.1, 0.2, 0.3])
    mean, variance = x[counts].mean(axis=0), x[counts].var(axis=0)
    p = oracles.sigmoid((x - mean) / np.sqrt(variance + 1e-8))
    want = p * x + (1 - p) * np.array([0.1, 0.2, 0.3]) * x
    got = layer(x.astype("float32"), mask=counts, training=True).numpy()
    np.testing.assert_allclose(got[counts], want[counts], rtol=1e-4, atol=1e-5)
    assert not got[~counts].any()
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-5)
    before = [np.array(w) for w in layer.weights]
    layer(x, mask=np.zeros(50, bool), training=True)  # none counts
    layer(x)  # inference
    layer.trainable = False
    layer(x, training=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.weights, strict=True))


def test_the_gradient_of_dice_goes_through_mean_and_variance():
    x = np.random.default_rng(4).normal(size=(6, 2))
    probe = np.random.default_rng(5).normal(size=(6, 2))

    def loss(x):
        p = oracles.sigmoid((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-8))
        return float((p * x * probe).sum())

    inputs = tf.constant(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(Dice()(inputs, training=True) * probe)
    (want,) = oracles.numeric_gradient(loss, [x])
    np.testing.assert_allclose(tape.gradient(total, inputs), want, rtol=1e-3, atol=1e-4)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"`target` must be \(batch, dim\)"):
        TargetAttention()(np.zeros((2, 3)), np.zeros((2, 5, 4)))
    with pytest.raises(ValueError, match=r"`target` must be \(batch, dim\)"):
        TargetAttention()(np.zeros(4), np.zeros((2, 5, 4)))
