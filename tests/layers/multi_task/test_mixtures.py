"""Mixtures of experts against NumPy, written from the papers' formulas."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.layers.multi_task import CGC, PLE, Experts, MMoE, SharedBottom, TaskTowers

TASKS = ["click", "buy"]


def relu(x):
    return np.maximum(x, 0.0)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def weights_of(layer):
    """Returns weights by the end of their path, biases made to differ from zero."""
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    return {w.path.split("/", 1)[1]: w.numpy().astype("float64") for w in layer.weights}


def experts_of(x, weights, prefix, activation=relu):
    kernels = sorted(k for k in weights if k.startswith(f"{prefix}/kernel"))
    count = len(weights[kernels[0]])
    made = []
    for e in range(count):
        h = x
        for kernel in kernels:
            h = activation(h @ weights[kernel][e] + weights[kernel.replace("kernel", "bias")][e])
        made.append(h)
    return np.stack(made, 1)


def test_mmoe(rng):
    layer = MMoE(TASKS, experts=3, units=(5, 4))
    x = rng.normal(size=(6, 7)).astype("float32")
    layer.build(x.shape)
    weights = weights_of(layer)
    got = layer(x)
    experts = experts_of(x, weights, "experts")
    gates = softmax(experts_of(x, weights, "gates", activation=lambda h: h))
    for t, task in enumerate(TASKS):
        want = np.einsum("be,beu->bu", gates[:, t], experts)
        np.testing.assert_allclose(got[task], want, rtol=1e-5, atol=1e-6)


def cgc(x, weights, prefix, gives_shared):
    """`x` by name; returns each task's mixture, and the shared one."""
    names = [*TASKS, "shared"]
    made = {n: experts_of(x[n], weights, f"{prefix}experts_{n}") for n in names}
    mixed = {}
    for name in names if gives_shared else TASKS:
        seen = names if name == "shared" else [name, "shared"]
        gate = softmax(x[name] @ weights[f"{prefix}gate_{name}/kernel"])
        mixed[name] = np.einsum("be,beu->bu", gate, np.concatenate([made[s] for s in seen], 1))
    return mixed


def test_cgc(rng):
    layer = CGC(TASKS, shared_experts=1, task_experts=2, units=(5,), gives_shared=True)
    x = rng.normal(size=(6, 7)).astype("float32")
    layer.build(x.shape)
    want = cgc(dict.fromkeys([*TASKS, "shared"], x), weights_of(layer), "", True)
    got = layer(x)
    assert set(got) == {*TASKS, "shared"}
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-6)


def test_ple_is_a_cgc_upon_another(rng):
    layer = PLE(TASKS, levels=3, units=(5,))
    x = rng.normal(size=(6, 7)).astype("float32")
    layer.build(x.shape)
    weights = weights_of(layer)
    want = dict.fromkeys([*TASKS, "shared"], x)
    for level in range(3):
        want = cgc(want, weights, f"level_{level}/", level < 2)
    got = layer(x)
    assert set(got) == set(TASKS)
    for name in TASKS:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-4, atol=1e-5)


def test_experts_may_be_any_layers(rng):
    experts = [
        keras.layers.Dense(4),
        keras.Sequential([keras.layers.Dense(3, "tanh"), keras.layers.Dense(4)]),
    ]
    layer = Experts(experts)
    x = rng.normal(size=(6, 7)).astype("float32")
    got = layer(x)
    for e, expert in enumerate(experts):
        np.testing.assert_allclose(got[:, e], expert(x), rtol=1e-6)


def test_experts_begin_apart_and_as_dense_layers_would():
    seeded = keras.initializers.GlorotUniform(seed=3)
    layer = Experts(2, units=(50,), kernel_initializer=seeded)
    layer.build((None, 70))
    first, second = layer.weights[0].numpy()
    assert np.abs(first - second).max() > 0.01
    limit = np.sqrt(6 / (70 + 50))
    assert 0.95 * limit < np.abs(first).max() <= limit


def test_dropped_experts_leave_a_whole(rng):
    layer = MMoE(TASKS, experts=4, units=(3,), gate_dropout=0.9, seed=1)
    x = rng.normal(size=(200, 7)).astype("float32")
    layer(x)
    ones = [
        np.zeros_like(w) if "kernel" in w.path else np.ones_like(w) for w in layer._experts.weights
    ]
    layer._experts.set_weights(ones)
    for training in (False, True):  # every expert gives 1, and so does every mixture of them
        np.testing.assert_allclose(layer(x, training=training)["buy"], 1.0, rtol=1e-5)
    parts = np.asarray(layer._parts(x, True))
    assert np.mean(parts < 1e-6) > 0.5
    assert np.mean(np.asarray(layer._parts(x, False)) < 1e-6) < 0.05


def test_tasks_of_a_shared_bottom_get_the_same(rng):
    x = rng.normal(size=(6, 7)).astype("float32")
    got = SharedBottom(TASKS, (5, 4))(x)
    np.testing.assert_array_equal(got["click"], got["buy"])
    assert got["buy"].shape == (6, 4)


def test_towers_have_forms_of_their_own(rng):
    x = {task: rng.normal(size=(6, 7)).astype("float32") for task in TASKS}
    towers = TaskTowers(TASKS, units={"click": (5, 1), "buy": (2,)}, final_activation={
        "click": "sigmoid", "buy": None})  # fmt: skip
    got = towers(x)
    weights = weights_of(towers)
    hidden = relu(x["click"] @ weights["tower_click/dense_0/kernel"]
                  + weights["tower_click/dense_0/bias"])  # fmt: skip
    logit = hidden @ weights["tower_click/dense_1/kernel"] + weights["tower_click/dense_1/bias"]
    got = towers(x)
    np.testing.assert_allclose(got["click"], 1 / (1 + np.exp(-logit)), rtol=1e-5)
    assert got["buy"].shape == (6, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MMoE(["a", "a"]), "`tasks` must be names, at least one and each once"),
        (lambda: MMoE([]), "`tasks` must be names"),
        (lambda: MMoE(["a"], experts=0), "`experts` must be positive integers"),
        (lambda: CGC(["a", "shared"]), "must not have the name 'shared'"),
        (lambda: PLE(["a"], levels=0), "`levels` must be a positive integer"),
        (lambda: CGC(["a", "b"])({"a": np.ones((2, 3))}), r"without \['b', 'shared'\]"),
        (lambda: TaskTowers(["a", "b"], units={"a": (1,)}), r"without \['b'\]"),
        (lambda: TaskTowers(["a", "b"])({"a": np.ones((2, 3))}), r"without \['b'\]"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
