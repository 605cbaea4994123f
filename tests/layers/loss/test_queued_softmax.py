"""The loss against a queue, by its formula."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from recs.layers.loss import QueuedSoftmax


def oracle(labels, outputs, queue, temperature):
    own = (labels * outputs).sum(-1, keepdims=True) / temperature
    logits = np.concatenate([own, outputs @ queue.T / temperature], axis=-1)
    return np.log(np.exp(logits).sum(-1)) - own[..., 0]


def test_it_is_the_softmax_against_the_last_candidates(rng):
    loss = QueuedSoftmax(4, 3, temperature=0.7)
    labels, outputs = rng.normal(size=(2, 5, 2, 3))
    np.testing.assert_array_equal(loss(labels, outputs), np.zeros((5, 2)))
    seen = rng.normal(size=(6, 3)).astype("float32")
    loss.remember(seen[:3])
    loss.remember(seen[3:])
    want = oracle(labels, outputs, seen[2:], 0.7)
    np.testing.assert_allclose(loss(labels, outputs), want, rtol=1e-5)


def test_its_gradient_is_the_softmaxs(rng):
    loss = QueuedSoftmax(4, 3)
    seen = rng.normal(size=(4, 3)).astype("float32")
    loss.remember(seen)
    labels, outputs = (tf.constant(rng.normal(size=(5, 3)), tf.float32) for _ in range(2))
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        total = tf.reduce_sum(loss(labels, outputs))
    candidates = np.concatenate([labels.numpy()[:, None], np.repeat(seen[None], 5, 0)], axis=1)
    logits = np.einsum("bcd,bd->bc", candidates, outputs)
    share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    want = np.einsum("bc,bcd->bd", share, candidates) - labels
    np.testing.assert_allclose(tape.gradient(total, outputs), want, rtol=1e-4, atol=1e-6)


def test_the_queue_is_saved(rng, tmp_path):
    inputs = [keras.Input((3,)), keras.Input((3,))]
    loss = QueuedSoftmax(4, 3, name="loss")
    model = keras.Model(inputs, loss(*inputs))
    loss.remember(rng.normal(size=(3, 3)).astype("float32"))
    asked = [rng.normal(size=(2, 3)).astype("float32") for _ in range(2)]
    want = model(asked).numpy()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(asked), want, rtol=1e-6)
