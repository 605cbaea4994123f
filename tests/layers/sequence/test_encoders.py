"""The encoders against the papers' formulas, values and gradients, and under any padding."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.sequence import GRU4Rec, MeanHistory, SASRec
from tests.layers.sequence import oracles

DIM = 4
RNG = np.random.default_rng(5)
# At the end, at the start, in between, alone, none, all.
PRESENT = np.array(
    [
        [1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1],
        [1, 0, 1, 0, 1],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1],
    ],
    bool,
)
X = RNG.normal(size=(6, 5, DIM))


def sasrec_by_hand(layer):
    def states(x, *w):
        return oracles.sasrec(x, w, layer.num_blocks, layer.num_heads, layer.norm,
                              layer.scale_inputs)  # fmt: skip

    return states


def gru_by_hand(layer):
    def states(x, *w):
        w = list(w)
        for _ in range(layer.num_layers):
            x = oracles.gru(x, w[:3], layer.reset_after)
            del w[:3]
        return x @ w[0] + w[1] if w else x

    return states


def mean_by_hand(layer):
    return lambda x: np.cumsum(x, axis=0) / np.arange(1, len(x) + 1)[:, None]


ENCODERS = {
    "sasrec": (lambda **k: SASRec(dropout=0.5, **k), sasrec_by_hand),
    "sasrec-post": (
        lambda **k: SASRec(1, 2, ffn_dim=3, norm="post", scale_inputs=False, **k),
        sasrec_by_hand,
    ),
    "gru": (lambda **k: GRU4Rec(3, dropout=0.5, **k), gru_by_hand),
    "gru-deep": (lambda **k: GRU4Rec(3, 2, output_dim=5, reset_after=True, **k), gru_by_hand),
    "mean": (lambda **k: MeanHistory(**k), mean_by_hand),
}
ALL = pytest.mark.parametrize("name", ENCODERS)


def made(name, **options):
    make, by_hand = ENCODERS[name]
    layer = make(**options)
    layer.build((None, None, DIM))
    return layer, oracles.randomize(layer), by_hand(layer)


@ALL
def test_it_is_the_paper_formula_with_its_gradients(name):
    layer, weights, states = made(name)
    probe = RNG.normal(size=(6, layer.output_dim(DIM)))

    def loss(x, *w):
        return sum(
            float(states(x[row][PRESENT[row]], *w)[-1] @ probe[row])
            for row in range(6)
            if PRESENT[row].any()
        )

    got, by_x, by_weights = oracles.tape_gradients(layer, X, probe, mask=PRESENT)
    for row in range(6):
        want = np.zeros(layer.output_dim(DIM))
        if PRESENT[row].any():
            want = states(X[row][PRESENT[row]], *weights)[-1]
        np.testing.assert_allclose(got[row], want, rtol=1e-4, atol=1e-5)
    want_x, *want_weights = oracles.numeric_gradient(loss, [X, *weights])
    np.testing.assert_allclose(by_x, want_x, rtol=2e-3, atol=1e-4)
    assert not by_x[~PRESENT].any()
    for weight, a, b in zip(layer.trainable_weights, by_weights, want_weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4, err_msg=weight.path)


@ALL
def test_all_positions_are_the_prefixes(name):
    layer, weights, states = made(name, return_sequences=True)
    got = layer(X.astype("float32"), mask=PRESENT)
    assert got.shape == layer.compute_output_shape(X.shape)
    for row in range(6):
        assert not got.numpy()[row][~PRESENT[row]].any()
        if PRESENT[row].any():
            want = states(X[row][PRESENT[row]], *weights)
            np.testing.assert_allclose(got.numpy()[row][PRESENT[row]], want, rtol=1e-4, atol=1e-5)
    last = layer(X.astype("float32"), mask=PRESENT, return_sequences=False).numpy()
    np.testing.assert_allclose(last[5], got[5, 4], rtol=1e-6)
    assert np.array_equal(got._keras_mask, PRESENT)


@ALL
def test_padding_changes_nothing_wherever_it_is_and_whatever_is_in_it(name):
    layer, _, _ = made(name)
    x = X.astype("float32")
    want = layer(x, mask=PRESENT).numpy()
    for left, right in ((0, 7), (3, 0), (2, 2)):
        wide = np.full((6, 5 + left + right, DIM), np.nan, "float32")
        wide[:, left : left + 5] = x
        present = np.zeros(wide.shape[:2], bool)
        present[:, left : left + 5] = PRESENT
        wide[~present] = np.nan
        np.testing.assert_allclose(layer(wide, mask=present), want, rtol=1e-5, atol=1e-6)
    ragged = tf.RaggedTensor.from_row_lengths(x[PRESENT], PRESENT.sum(axis=1))
    np.testing.assert_allclose(layer(ragged), want, rtol=1e-5, atol=1e-6)


@ALL
def test_nothing_to_read_gives_what_was_asked_for(name):
    x = X.astype("float32")
    nothing = np.zeros((6, 5), bool)
    layer, _, _ = made(name)
    assert not layer(x, mask=nothing).numpy().any()
    layer, _, _ = made(name, empty="learned")
    learned = next(w for w in layer.trainable_weights if "empty_vector" in w.path)
    assert np.allclose(layer(x, mask=nothing), np.tile(learned, (6, 1)))
    got = layer(x, mask=PRESENT).numpy()
    assert np.allclose(got[4], learned)
    assert not np.allclose(got[3], learned)
    probe = np.ones(got.shape)
    _, _, by_weights = oracles.tape_gradients(layer, x, probe, mask=PRESENT)
    of_empty = by_weights[[w.path for w in layer.trainable_weights].index(learned.path)]
    assert of_empty.tolist() == [1.0] * len(of_empty)  # of the one empty sequence alone
    for none in (x[:, :0], tf.RaggedTensor.from_row_lengths(x[:0, 0], [0, 0])):
        assert np.allclose(layer(none), np.tile(learned, (none.shape[0], 1)))


@ALL
def test_only_the_newest_max_length_count(name):
    layer, weights, states = made(name, max_length=2)
    got = layer(X.astype("float32"), mask=PRESENT).numpy()
    for row in range(6):
        if PRESENT[row].any():
            want = states(X[row][PRESENT[row]][-2:], *weights)[-1]
            np.testing.assert_allclose(got[row], want, rtol=1e-4, atol=1e-5)


@ALL
def test_long_sequences_and_later_ones_do_not_reach_back(name):
    layer, _, _ = made(name, return_sequences=True)
    long = np.random.default_rng(0).normal(size=(2, 60, DIM)).astype("float32")
    assert np.isfinite(layer(long)).all()
    layer.max_length = None
    changed = long.copy()
    changed[:, 40:] = 7.0
    before, after = layer(long).numpy(), layer(changed).numpy()
    np.testing.assert_allclose(before[:, :40], after[:, :40], rtol=1e-4, atol=1e-5)
    assert not np.allclose(before[:, 40:], after[:, 40:])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@ALL
def test_half_precision_is_near_and_its_sum_of_thousands_too(name, policy):
    long = 1.0 + np.abs(np.random.default_rng(0).normal(size=(2, 3000, DIM))).astype("float32")
    if name != "mean":
        long = long[:, -40:]
    keras.utils.set_random_seed(3)
    layer, _, _ = made(name, dtype=policy)
    full, _, _ = made(name)
    got = layer(long.astype("float16"))
    assert got.dtype == policy.removeprefix("mixed_")
    np.testing.assert_allclose(tf.cast(got, tf.float32), full(long), rtol=0.05, atol=0.06)


def test_dropout_is_for_training_alone():
    for layer in (SASRec(dropout=0.5, seed=1), GRU4Rec(dropout=0.5, seed=1)):
        x = X.astype("float32")
        assert np.array_equal(layer(x), layer(x))
        assert not np.allclose(layer(x, training=True), layer(x))


def test_seeds_decide_initial_values():
    for make in (SASRec, lambda **k: GRU4Rec(num_layers=2, output_dim=3, **k)):
        first, second, other = make(seed=1), make(seed=1), make(seed=2)
        for layer in (first, second, other):
            layer.build((None, None, DIM))
        random = [i for i, w in enumerate(first.weights) if np.unique(w).size > 1]
        assert random
        for i in random:
            if "seed" in first.weights[i].path:
                continue
            assert np.array_equal(first.weights[i], second.weights[i])
            assert not np.array_equal(first.weights[i], other.weights[i])


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"`max_length` must be a positive integer.*max_length=0"):
        SASRec(max_length=0)
    with pytest.raises(ValueError, match=r"`max_length` must be .*max_length=None"):
        SASRec(max_length=None)
    with pytest.raises(ValueError, match=r"`empty` must be 'zeros' or 'learned'"):
        MeanHistory(empty="mean")
    with pytest.raises(ValueError, match=r"`units` must be a positive integer"):
        GRU4Rec(units=-1)
    with pytest.raises(ValueError, match=r"`num_layers` must be a positive integer"):
        GRU4Rec(num_layers=0)
