"""Balancing tasks: gradients against NumPy, written from the papers' formulas."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers import DynamicEmbedding
from recs.layers.multi_task import EntireSpace, GradNorm, PCGrad, TaskTowers, UncertaintyWeights
from recs.layers.multi_task.pc_grad import surgery
from recs.models import Model
from recs.tasks import MultiTask

TASKS = ["a", "b", "c"]


def projected(gradients, order):
    """PCGrad's algorithm 1, vectors and all."""
    total = np.zeros_like(gradients[0])
    for i, gradient in enumerate(gradients):
        own = gradient.copy()
        for j in order[i]:
            if i != j and own @ gradients[j] < 0:
                own -= own @ gradients[j] / (gradients[j] @ gradients[j]) * gradients[j]
        total += own
    return total


@pytest.mark.parametrize("seed", range(5))
def test_surgery(seed):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(4, 3)).astype("float32")  # few dimensions: many conflicts
    gradients[2] *= seed % 2  # a task without a gradient
    order = np.stack([rng.permutation(4) for _ in range(4)])
    got = np.asarray(surgery(gradients, order)) @ gradients
    np.testing.assert_allclose(got, projected(gradients.astype("float64"), order), atol=1e-5)


def test_what_lies_below_gets_the_projected_gradients(rng):
    x = tf.constant(rng.normal(size=(5, 3)).astype("float32"))
    ways = [rng.normal(size=(5, 3)).astype("float32") for _ in range(2)]
    layer = PCGrad(["a", "b"])
    for sign in (1.0, -1.0):
        first, second = ways[0], sign * ways[0] + 0.3 * ways[1]
        with tf.GradientTape() as tape:
            tape.watch(x)
            copies = layer(x, training=True)
            loss = tf.reduce_sum(copies["a"] * first) + tf.reduce_sum(copies["b"] * second)
        want = projected([first.ravel(), second.ravel()], [[0, 1], [1, 0]])
        np.testing.assert_allclose(np.ravel(tape.gradient(loss, x)), want, rtol=1e-4, atol=1e-5)


def test_grad_norm_moves_its_weights_along_the_papers_gradient(rng):
    layer = GradNorm(TASKS, alpha=0.5)
    weights = np.array([0.5, 1.0, 1.5], "float32")
    layer.task_weights.assign(weights)
    layer._first.assign([2.0, 1.0, 4.0])
    layer._last.assign([1.0, 0.9, 1.0])
    x = tf.constant(rng.normal(size=(5, 3)).astype("float32"))
    ways = rng.normal(size=(3, 5, 3)).astype("float32") * np.array([3, 1, 0.2])[:, None, None]
    with tf.GradientTape() as tape:
        tape.watch(x)
        copies = layer(x)
        losses = tf.stack([tf.reduce_sum(copies[t] * ways[i]) for i, t in enumerate(TASKS)])
        loss = layer.weigh(losses, tf.constant([True] * 3), False)
    below, own = tape.gradient(loss, [x, layer.task_weights.value])
    np.testing.assert_allclose(below, np.einsum("t,tbd->bd", weights, ways), rtol=1e-5, atol=1e-6)
    plain = np.sqrt((ways**2).sum((1, 2)))
    ratio = np.array([0.5, 0.9, 0.25])
    target = np.mean(weights * plain) * (ratio / ratio.mean()) ** 0.5

    def away(w):
        return np.abs(w * plain - target).sum()

    step = 1e-4 * np.eye(3)
    numeric = [(away(weights + s) - away(weights - s)) / 2e-4 for s in step]
    np.testing.assert_allclose(own, numeric, rtol=1e-3)


@pytest.mark.slow
def test_grad_norm_makes_steep_and_flat_tasks_pull_alike():
    """Losses that do not fall, one of gradients 100 times the other's: weights go as 1 to 100."""
    layer = GradNorm(["steep", "flat"], alpha=0.0)
    optimizer = keras.optimizers.SGD(0.003)
    x = tf.ones((4, 2))
    for _ in range(300):
        with tf.GradientTape() as tape:
            copies = layer(x)
            losses = tf.stack([10 * tf.reduce_sum(copies["steep"]), tf.reduce_sum(copies["flat"])])
            loss = layer.weigh(losses, tf.constant([True, True]), True)
        optimizer.apply(tape.gradient(loss, layer.trainable_weights), layer.trainable_weights)
    steep, flat = layer.task_weights.numpy()
    assert steep + flat == pytest.approx(2.0, abs=1e-5)
    assert flat / steep == pytest.approx(10.0, rel=0.2)


def test_uncertainties_settle_where_the_paper_says():
    """At the optimum of `exp(-s) L + s` the variance is the loss."""
    layer = UncertaintyWeights(["a", "b"])
    optimizer = keras.optimizers.SGD(0.5)
    losses = tf.constant([0.2, 3.0])
    for _ in range(300):
        with tf.GradientTape() as tape:
            loss = layer(losses)
        optimizer.apply(tape.gradient(loss, layer.trainable_weights), layer.trainable_weights)
    np.testing.assert_allclose(np.exp(layer.log_variances.numpy()), losses, rtol=1e-3)


def test_conversions_are_learnt_from_all_that_was_shown(rng):
    logits = {k: rng.normal(size=(9,)).astype("float32") for k in ("click", "conversion")}
    got = EntireSpace()(logits)
    click, conversion = (1 / (1 + np.exp(-logits[k])) for k in ("click", "conversion"))
    np.testing.assert_allclose(got["click_and_conversion"], click * conversion, rtol=1e-5)
    with pytest.raises(ValueError, match=r"without \['conversion'\]"):
        EntireSpace()({"click": logits["click"]})
    with pytest.raises(ValueError, match="must be different names"):
        EntireSpace("x", "x")


class TwoTasks(Model):
    def __init__(self, balance, weights):
        super().__init__()
        self.ids = DynamicEmbedding(4, seed=1)
        self.balance = balance
        self.towers = TaskTowers(["a", "b"])
        losses = {t: keras.losses.BinaryCrossentropy(from_logits=True) for t in ("a", "b")}
        self.task = MultiTask(losses, weights)

    def compute_loss(self, inputs, training=False):
        found = self.ids(inputs["id"])
        outputs = self.towers(self.balance(found) if self.balance else found)
        return self.task(inputs["y"], outputs, training=training)


@pytest.mark.parametrize("balance", [None, "pcgrad", "gradnorm", "uncertainty"])
def test_embeddings_below_are_updated_once_a_step(rng, balance):
    layer = {"pcgrad": PCGrad, "gradnorm": GradNorm}.get(balance, lambda _: None)(["a", "b"])
    weights = layer if balance == "gradnorm" else balance if balance == "uncertainty" else None
    model = TwoTasks(layer, weights)
    labels = {t: rng.integers(0, 2, (64, 1)).astype("float32") for t in ("a", "b")}
    data = tf.data.Dataset.from_tensor_slices({"id": rng.integers(0, 9, 64), "y": labels}).batch(16)
    model.compile(keras.optimizers.Adam(0.05))
    history = model.fit(data, epochs=8, verbose=0).history
    assert model.ids.table.stats()["step"] == 32
    assert model.ids.table.stats()["discarded_passes"] == 0
    assert (
        history["a_loss"][-1] + history["b_loss"][-1] < history["a_loss"][0] + history["b_loss"][0]
    )
