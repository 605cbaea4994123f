"""Several tasks in one loss, with labels that are missing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.multi_task import GradNorm, UncertaintyWeights
from recs.tasks import MultiTask, Ranking

MSE = keras.losses.MeanSquaredError()


def cross_entropy(labels, logits, weight=None):
    each = np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))
    each = each.mean(-1)
    return (each if weight is None else each * weight).mean()


def batch(rng, missing=0.4):
    labels = {t: rng.integers(0, 2, (20, 1)).astype("float32") for t in ("a", "b")}
    labels["b"][rng.random(20) < missing] = np.nan
    logits = {t: rng.normal(size=(20, 1)).astype("float32") for t in ("a", "b")}
    return labels, logits


def losses():
    return {t: keras.losses.BinaryCrossentropy(from_logits=True) for t in ("a", "b")}


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("weighed", [False, True])
def test_a_missing_label_is_no_loss_and_no_gradient(rng, traced, weighed):
    labels, logits = batch(rng)
    weight = rng.random(20).astype("float32") if weighed else None
    task = MultiTask(losses(), {"b": 0.3})
    call = tf.function(task, autograph=False) if traced else task
    logits = {t: tf.constant(x) for t, x in logits.items()}
    with tf.GradientTape() as tape:
        tape.watch(logits)
        got = call(labels, logits, weight)
    there = ~np.isnan(labels["b"][:, 0])
    parts = [None if weight is None else weight[there]]
    want = {
        "a": cross_entropy(labels["a"], logits["a"].numpy(), weight),
        "b": cross_entropy(labels["b"][there], logits["b"].numpy()[there], parts[0]),
    }
    np.testing.assert_allclose(got, want["a"] + 0.3 * want["b"], rtol=1e-5)
    gradient = tf.convert_to_tensor(tape.gradient(got, logits)["b"]).numpy()
    assert np.all(gradient[~there] == 0)
    assert np.all(gradient[there] != 0)
    for metric in task.metrics:
        np.testing.assert_allclose(metric.result(), want[metric.name[0]], rtol=1e-5)


def test_masks_tell_what_numbers_cannot(rng):
    labels, logits = batch(rng, missing=0)
    mask = rng.random(20) < 0.5
    task = MultiTask({"b": losses()["b"]})
    got = task(labels, logits, masks={"b": mask})
    np.testing.assert_allclose(got, cross_entropy(labels["b"][mask], logits["b"][mask]), rtol=1e-5)
    integers = {"b": labels["b"].astype("int32")}
    np.testing.assert_allclose(task(integers, logits, masks={"b": mask}), got, rtol=1e-6)


def test_a_task_without_any_label_has_no_loss_and_finite_gradients(rng):
    labels, logits = batch(rng, missing=1.1)
    logits = {t: tf.constant(x) for t, x in logits.items()}
    with tf.GradientTape() as tape:
        tape.watch(logits)
        task = MultiTask(losses())
        loss = task(labels, logits)
    np.testing.assert_allclose(loss, cross_entropy(labels["a"], logits["a"].numpy()), rtol=1e-5)
    gradient = tf.convert_to_tensor(tape.gradient(loss, logits)["b"])
    np.testing.assert_array_equal(gradient, np.zeros((20, 1)))
    assert {m.name: float(m.result()) for m in task.metrics}["b_loss"] == 0.0


def test_metrics_of_the_tasks_see_what_is_there(rng):
    labels, logits = batch(rng)
    accuracy = keras.metrics.BinaryAccuracy(threshold=0.0, name="b_accuracy")
    MultiTask({"b": Ranking(losses()["b"], metrics=accuracy)})(labels, logits)
    there = ~np.isnan(labels["b"][:, 0])
    want = np.mean((logits["b"] > 0)[there] == labels["b"][there])
    np.testing.assert_allclose(accuracy.result(), want, rtol=1e-6)


def test_learnt_weights(rng):
    labels, logits = batch(rng)
    plain = MultiTask(losses())
    plain(labels, logits)
    each = {m.name: float(m.result()) for m in plain.metrics}
    uncertain = MultiTask(losses(), "uncertainty")
    got = uncertain(labels, logits)
    np.testing.assert_allclose(got, (each["a_loss"] + each["b_loss"]) / 2, rtol=1e-5)
    balance = GradNorm(["b", "a"])  # in whatever order
    balance.task_weights.assign([1.5, 0.5])
    got = MultiTask(losses(), balance)(labels, logits, training=True)
    np.testing.assert_allclose(got, 0.5 * each["a_loss"] + 1.5 * each["b_loss"], rtol=1e-5)
    np.testing.assert_allclose(balance._last, [each["b_loss"], each["a_loss"]], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiTask({}), "`tasks` must not be empty"),
        (lambda: MultiTask({"a": MSE}, {"b": 1.0}), "`weights` must be of the tasks"),
        (lambda: MultiTask({"a": MSE}, "all"), "`weights` must be of the tasks"),
        (lambda: MultiTask({"a": MSE}, UncertaintyWeights(["b"])), "`weights` must be of"),
        (lambda: MultiTask({"a": MSE})({}, {"a": np.ones((1, 1))}), "Labels must be of every"),
        (lambda: MultiTask({"a": MSE})({"a": np.ones((1, 1))}, {}), "Predictions must be of"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
