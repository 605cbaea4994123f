"""The streaming estimate against a plain Python one, and against the truth."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers import FrequencyEstimate


class Plain:
    def __init__(self, rate):
        self.rate, self.step, self.rows, self.known = rate, 0, 0, {}

    def see(self, batch):
        self.step += 1
        self.rows += len(batch)
        for name in set(batch):
            last, gap, share, n = self.known.get(name, (0, 0.0, 0.0, 0))
            a = max(self.rate, 1 / (n + 1))
            gap = (1 - a) * gap + a * (self.step - last)
            share = (1 - a) * share + a * batch.count(name) / len(batch)
            self.known[name] = (self.step, gap, share, n + 1)

    def of(self, name):
        if name not in self.known:
            return 1 / max(self.rows, 1)
        last, gap, share, n = self.known[name]
        a = max(self.rate, 1 / (n + 1))
        return share / (gap + a * max(self.step - last - gap, 0))


@pytest.mark.parametrize("kind", ["int64", "int32", "string"])
@pytest.mark.parametrize("traced", [False, True])
def test_agrees_with_a_plain_one(rng, kind, traced):
    layer, plain = FrequencyEstimate(0.2), Plain(0.2)
    train = (
        tf.function(lambda ids: layer(ids, training=True))
        if traced
        else (lambda ids: layer(ids, training=True))
    )
    for size in (8, 8, 3, 8, 8, 8):
        batch = (rng.integers(0, 9, size) * 3 - 7).astype(kind if kind != "string" else str)
        plain.see(batch.tolist())
        np.testing.assert_allclose(
            train(tf.constant(batch)), [plain.of(i) for i in batch], rtol=1e-5
        )
    every = (np.arange(-4, 14) * 3 - 7).astype(kind if kind != "string" else str)
    want = [plain.of(i) for i in every]
    np.testing.assert_allclose(
        layer(tf.constant(every.reshape(2, 9))), np.reshape(want, (2, 9)), rtol=1e-5
    )


@pytest.mark.slow
def test_finds_the_shares_also_of_what_is_in_every_batch(rng):
    share = 1 / np.arange(1, 51)
    share /= share.sum()
    layer = FrequencyEstimate(0.002)
    for _ in range(500):
        layer(rng.choice(50, 64, p=share), training=True)
    np.testing.assert_allclose(layer(np.arange(50)), share, rtol=0.2)
    np.testing.assert_allclose(layer(np.arange(5)), share[:5], rtol=0.06)


def test_follows_a_change():
    layer = FrequencyEstimate(0.1)
    for step in range(200):
        layer(np.array([1 if step < 100 else 2, 3]), training=True)
    new, gone = layer(np.array([2, 1])).numpy()
    assert new > 0.4
    assert gone < 0.05


def test_only_training_counts_and_state_is_saved(tmp_path):
    inputs = keras.Input((), dtype="string")
    layer = FrequencyEstimate()
    model = keras.Model(inputs, layer(inputs))
    layer(np.array(["a", "a", "b"]), training=True)
    model.predict(tf.constant(["c"] * 4), verbose=0)
    model.save(tmp_path / "m.keras")
    layer(np.array(["b"]), training=True)
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(
        again(tf.constant(["a", "b", "c"])), [2 / 3, 1 / 3, 1 / 3], rtol=1e-6
    )


def test_errors():
    for rate in (0, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"`rate` must be in \(0, 1\]"):
            FrequencyEstimate(rate)
    with pytest.raises(TypeError, match=r"Ids must be integers or strings\. Received: float32"):
        FrequencyEstimate()(np.ones(2, "float32"))
