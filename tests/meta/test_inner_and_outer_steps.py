"""Inner and outer steps against NumPy, and second-order MAML against finite differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.meta.adapt import Samples, adapt
from recs.meta.adapting_tower import AdaptingTower
from recs.meta.meta_loss import meta_loss
from tests.meta import reference

WIDTH, HIDDEN, OUT = 3, 4, 2
COUNTS = [(5, 4), (2, 3), (1, 1), (4, 2)]  # support and query samples of each task
SIZES = (5, 4)
RATE = 0.3
MEAN_SQUARES = keras.losses.MeanSquaredError().call
ADAPTING = {"all": [True] * 3, "last": [False, False, True], "first": [True, False, False],
            "middle": [False, True, False]}  # fmt: skip


@pytest.fixture
def layers(rng):
    made, width = [], WIDTH
    for number, size in enumerate((HIDDEN, HIDDEN, OUT)):
        dense = keras.layers.Dense(size, "tanh" if number < 2 else None)
        dense.build((None, width))
        dense.bias.assign(rng.normal(size=size))
        made.append(dense)
        width = size
    return made


@pytest.fixture
def tasks(rng):
    def rows(n):
        return rng.normal(size=(n, WIDTH)), rng.normal(size=(n, OUT))

    return [(*rows(s), *rows(q)) for s, q in COUNTS]


def weights_of(layers):
    return [tuple(np.asarray(w, np.float64) for w in (d.kernel, d.bias)) for d in layers]


def padded(tasks, places, size):
    """Returns samples of tasks; what fills them up is wild."""
    inputs = np.full((len(tasks), size, WIDTH), 7.0, np.float32)
    labels = np.full((len(tasks), size, OUT), -9.0, np.float32)
    mask = np.zeros((len(tasks), size), bool)
    for t, task in enumerate(tasks):
        n = len(task[places[0]])
        inputs[t, :n], labels[t, :n], mask[t, :n] = task[places[0]], task[places[1]], True
    return Samples(*map(tf.constant, (inputs, labels, mask)))


def both(tasks):
    return padded(tasks, (0, 1), SIZES[0]), padded(tasks, (2, 3), SIZES[1])


def before_first(adapting, weights, x):
    """Returns what the tower is given, and the weights from there on."""
    first = adapting.index(True)
    for kernel, bias in weights[:first]:
        x = np.tanh(x @ kernel + bias)
    return x, weights[first:]


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("which", ["all", "first"])
def test_each_task_gets_the_weights_of_its_own_descent(layers, tasks, which, steps):
    adapting = ADAPTING[which]
    tower = AdaptingTower("tower", layers, adapting, "test")
    support, query = both(tasks)
    changes = adapt(tower, support, MEAN_SQUARES, RATE, steps, first_order=False)
    outputs = tower.run(query.inputs, changes)
    for t, (xs, ys, xq, _) in enumerate(tasks):
        own = reference.adapted(weights_of(layers), xs, ys, RATE, steps, adapting)
        want = reference.forward(own, xq)[-1]
        np.testing.assert_allclose(outputs[t, : len(xq)], want, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("which", ["last", "middle"])
def test_layers_before_those_that_adapt_run_as_ever(layers, tasks, which):
    adapting = ADAPTING[which]
    tower = AdaptingTower("tower", layers, adapting, "test")
    assert tower.before == layers[: adapting.index(True)]
    assert (tower.width, tower.output_width) == (HIDDEN, OUT)
    whole = weights_of(layers)
    inner = [
        (*(before_first(adapting, whole, x)[0] if i % 2 == 0 else x for i, x in enumerate(task)),)
        for task in tasks
    ]
    pads = np.zeros((len(tasks), SIZES[0], HIDDEN), np.float32)
    mask = np.arange(SIZES[0]) < np.array(COUNTS)[:, :1]
    labels = np.zeros((len(tasks), SIZES[0], OUT), np.float32)
    for t, (xs, ys, *_) in enumerate(inner):
        pads[t, : len(xs)], labels[t, : len(xs)] = xs, ys
    support = Samples(*map(tf.constant, (pads, labels, mask)))
    changes = adapt(tower, support, MEAN_SQUARES, RATE, 2, first_order=True)
    for t, (xs, ys, xq, _) in enumerate(tasks):
        want = reference.forward(reference.adapted(whole, xs, ys, RATE, 2, adapting), xq)[-1]
        one = [c if c is None else type(c)(*(p[t : t + 1] for p in c)) for c in changes]
        found = tower.run(tf.constant(inner[t][2][None], tf.float32), one)
        np.testing.assert_allclose(found[0], want, rtol=2e-4, atol=2e-5)


def outer(layers, tasks, method, steps, adapting=ADAPTING["all"], samples=None):
    """Returns the loss, the gradients of the layers and of the query's and support's inputs."""
    tower = AdaptingTower("tower", layers, adapting, "test")
    support, query = samples or both(tasks)
    with tf.GradientTape() as tape:
        tape.watch([support.inputs, query.inputs, query.labels])
        found = meta_loss(
            tower, support, query, MEAN_SQUARES, method=method, rate=RATE, steps=steps
        )
    weights = [w for dense in layers for w in (dense.kernel.value, dense.bias.value)]
    wanted = [*weights, query.inputs, support.inputs, query.labels]
    gradients = tape.gradient(found.loss, wanted)
    pairs = list(zip(gradients[0:6:2], gradients[1:6:2], strict=True))
    return found, pairs, gradients[6:]


def assert_pairs(found, want, rtol=2e-3, atol=2e-5):
    for pair, wanted in zip(found, want, strict=True):
        for one, other in zip(pair, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)


@pytest.mark.parametrize("which", ["all", "first"])
@pytest.mark.parametrize("steps", [1, 2])
def test_maml_has_the_gradient_of_finite_differences(layers, tasks, steps, which):
    adapting = ADAPTING[which]
    found, pairs, _ = outer(layers, tasks, "maml", steps, adapting)

    def function(weights):
        return reference.maml_loss(weights, tasks, RATE, steps, adapting)

    whole = weights_of(layers)
    np.testing.assert_allclose(found.loss, function(whole), rtol=1e-4)
    assert found.tasks == len(tasks)
    assert_pairs(pairs, reference.finite_differences(function, whole))


@pytest.mark.parametrize("steps", [1, 2])
def test_first_order_maml_has_the_query_gradient_at_the_adapted_weights(layers, tasks, steps):
    found, pairs, _ = outer(layers, tasks, "first_order_maml", steps)
    whole = weights_of(layers)
    want = [[np.zeros_like(w), np.zeros_like(b)] for w, b in whole]
    for xs, ys, xq, yq in tasks:
        own = reference.adapted(whole, xs, ys, RATE, steps, ADAPTING["all"])
        for total, pair in zip(want, reference.gradients(own, xq, yq)[0], strict=True):
            for place in (0, 1):
                total[place] += pair[place] / len(tasks)
    assert_pairs(pairs, want)
    value = reference.maml_loss(whole, tasks, RATE, steps, ADAPTING["all"])
    np.testing.assert_allclose(found.loss, value, rtol=1e-4)


@pytest.mark.parametrize("which", ["all", "first"])
@pytest.mark.parametrize("steps", [1, 3])
def test_reptile_moves_towards_the_adapted_weights(layers, tasks, steps, which):
    adapting = ADAPTING[which]
    found, pairs, (of_query, _, _) = outer(layers, tasks, "reptile", steps, adapting)
    whole = weights_of(layers)
    want = [[np.zeros_like(w), np.zeros_like(b)] for w, b in whole]
    value = 0.0
    for t, (xs, ys, xq, yq) in enumerate(tasks):
        x, y = np.concatenate([xs, xq]), np.concatenate([ys, yq])
        own = reference.adapted(whole, x, y, RATE, steps, adapting)
        value += reference.loss(own, x, y) / len(tasks)
        after, of_inputs = reference.gradients(own, x, y)
        for layer, adapts in enumerate(adapting):
            for place in (0, 1):
                towards = (whole[layer][place] - own[layer][place]) / RATE
                step = towards if adapts else after[layer][place]
                want[layer][place] += step / len(tasks)
        own_rows = of_inputs[len(xs) :] / len(tasks)
        np.testing.assert_allclose(of_query[t, : len(xq)], own_rows, rtol=2e-3, atol=2e-5)
    np.testing.assert_allclose(found.loss, value, rtol=1e-4)
    assert_pairs(pairs, want)


@pytest.mark.parametrize("method", ["maml", "first_order_maml"])
def test_inputs_are_reached_through_the_query_alone(layers, tasks, method):
    _, _, (of_query, of_support, of_labels) = outer(layers, tasks, method, 1)
    assert of_support is None
    for t, (xs, ys, xq, yq) in enumerate(tasks):
        own = reference.adapted(weights_of(layers), xs, ys, RATE, 1, ADAPTING["all"])
        want = reference.gradients(own, xq, yq)[1] / len(tasks)
        np.testing.assert_allclose(of_query[t, : len(xq)], want, rtol=2e-3, atol=2e-5)
        outputs = reference.forward(own, xq)[-1]
        np.testing.assert_allclose(
            of_labels[t, : len(xq)], 2 * (yq - outputs) / yq.size / len(tasks), rtol=2e-3, atol=2e-5
        )
        assert not np.any(of_query[t, len(xq) :])


@pytest.mark.parametrize("method", ["maml", "reptile"])
def test_tasks_without_samples_count_for_nothing(layers, tasks, method):
    want, pairs, _ = outer(layers, tasks, method, 2)
    support, query = both([*tasks, tasks[0]])
    absent = np.arange(len(tasks) + 1)[:, None] < len(tasks)
    both_masks = [Samples(s.inputs, s.labels, s.mask & absent) for s in (support, query)]
    found, again, _ = outer(layers, tasks, method, 2, samples=both_masks)
    np.testing.assert_allclose(found.loss, want.loss, rtol=1e-6)
    assert_pairs(again, pairs, rtol=1e-4, atol=1e-7)
    none = [Samples(s.inputs, s.labels, s.mask & False) for s in (support, query)]
    found, again, _ = outer(layers, tasks, method, 2, samples=none)
    assert (float(found.loss), float(found.tasks)) == (0.0, 0.0)
    assert all(not np.any(one) for pair in again for one in pair)


def test_a_tower_without_biases_and_no_activation(rng):
    dense = keras.layers.Dense(1, use_bias=False)
    dense.build((None, 2))
    tower = AdaptingTower("tower", [dense], [True], "test")
    x, y = rng.normal(size=(1, 4, 2)).astype("f4"), rng.normal(size=(1, 4, 1)).astype("f4")
    support = Samples(tf.constant(x), tf.constant(y), tf.ones((1, 4), tf.bool))
    (change,) = adapt(tower, support, MEAN_SQUARES, 0.5, 1, first_order=True)
    kernel = np.asarray(dense.kernel, np.float64)
    want = kernel - 0.5 * x[0].T @ (2 * (x[0] @ kernel - y[0]) / 4)
    np.testing.assert_allclose(tower.run(support.inputs, [change])[0], x[0] @ want, rtol=1e-4)
