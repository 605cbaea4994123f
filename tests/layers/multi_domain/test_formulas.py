"""Layers of several domains against NumPy, written from the papers' formulas, and gradients."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.multi_domain import (
    POSO,
    DomainExperts,
    EPNetGate,
    GateUnit,
    MovedIn,
    PartitionedNormalization,
    PPNet,
    Star,
    StarDense,
)
from tests.harness.rounding import dense_error, sum_error
from tests.layers.multi_domain.formulas import check_gradients, relu, sigmoid, softmax, weights_of

DOMAINS = ["books", "films", "music"]
OF = np.array([1, 0, 1, 2, 0, 1, 9, -1], "int32")  # the last two are of no domain


@pytest.fixture
def x(rng):
    return rng.normal(size=(len(OF), 4)).astype("float32")


@pytest.fixture
def prior(rng):
    return rng.normal(size=(len(OF), 3)).astype("float32")


def known(d):
    return 0 <= d < len(DOMAINS)


def normalized(x, w, prefix="", training=True, epsilon=1e-3):
    out = np.zeros_like(x, dtype="float64")
    number = np.where([known(d) for d in OF], OF, len(DOMAINS))
    for i, d in enumerate(number):
        own = known(d)
        if training:
            mean, variance = x[number == d].mean(0), x[number == d].var(0)
        else:
            moving = w[f"{prefix}moving_mean"], w[f"{prefix}moving_variance"]
            mean, variance = (m[d] if own else m.mean(0) for m in moving)
        z = (x[i] - mean) / np.sqrt(variance + epsilon)
        scale = w[f"{prefix}scale"] * (w[f"{prefix}own_scale"][d] if own else 1.0)
        offset = w[f"{prefix}offset"] + (w[f"{prefix}own_offset"][d] if own else 0.0)
        out[i] = z * scale + offset
    return out


@pytest.mark.parametrize("training", [True, False])
def test_partitioned_normalization(x, training):
    layer = PartitionedNormalization(DOMAINS, momentum=0.9)
    layer.build(x.shape)
    w = weights_of(layer)
    got = layer(x, OF, training=training)
    np.testing.assert_allclose(got, normalized(x, w, training=training), rtol=1e-4, atol=1e-5)
    for d in range(3):
        rows = x[d == OF]
        mean = w["moving_mean"][d], rows.mean(0)
        variance = w["moving_variance"][d], rows.var(0)
        for moving, (old, new) in (("mean", mean), ("variance", variance)):
            want = 0.9 * old + 0.1 * new if training else old
            kept = getattr(layer, f"moving_{moving}").numpy()[d]
            np.testing.assert_allclose(kept, want, rtol=1e-5)
    check_gradients(layer, lambda v: normalized(x, v, training=training), w,
                    inputs=x, domain=OF, training=training)  # fmt: skip


def test_a_domain_without_rows_keeps_its_statistics(x):
    layer = PartitionedNormalization(DOMAINS)
    layer.build(x.shape)
    w = weights_of(layer)
    layer(x, np.where(OF == 2, 0, OF), training=True)
    np.testing.assert_array_equal(layer.moving_mean.numpy()[2], np.float32(w["moving_mean"][2]))
    assert not np.array_equal(layer.moving_mean.numpy()[0], np.float32(w["moving_mean"][0]))


def star_dense(x, w, prefix="", activation=relu):
    rows = []
    for i, d in enumerate(OF):
        own, shift = (
            (w[f"{prefix}own_kernel"][d], w[f"{prefix}own_bias"][d]) if known(d) else (0.0, 0.0)
        )
        rows.append(x[i] @ (w[f"{prefix}kernel"] * (1.0 + own)) + w[f"{prefix}bias"] + shift)
    return activation(np.stack(rows))


def test_star_dense(x):
    layer = StarDense(DOMAINS, 5, "relu")
    layer.build(x.shape)
    w = weights_of(layer)
    np.testing.assert_allclose(layer(x, OF), star_dense(x, w), rtol=1e-4, atol=1e-5)
    check_gradients(layer, lambda v: star_dense(x, v), w, inputs=x, domain=OF)


def star(x, w):
    h = normalized(x, w, "norm/")
    h = star_dense(h, w, "dense_0/")
    h = star_dense(h, w, "dense_1/", lambda z: z)
    vectors = np.stack([w["domain_vectors"][d] if known(d) else np.zeros(2) for d in OF])
    seen = np.concatenate([x, vectors], 1)
    a = relu(seen @ w["auxiliary/dense_0/kernel"] + w["auxiliary/dense_0/bias"])
    return h + a @ w["auxiliary/dense_1/kernel"] + w["auxiliary/dense_1/bias"]


def test_star(x):
    layer = Star(DOMAINS, units=(5, 2), auxiliary_units=(3,), domain_dim=2)
    layer.build(x.shape)
    w = weights_of(layer)
    got = layer(x, OF, training=True)
    np.testing.assert_allclose(got, star(x, w), rtol=1e-4, atol=1e-4)
    check_gradients(layer, lambda v: star(x, v), w, inputs=x, domain=OF, training=True)


def experts_of(x, w, prefix):
    hidden = relu(np.einsum("bi,eio->ebo", x, w[f"{prefix}/kernel_0"]) + w[f"{prefix}/bias_0"])
    return hidden.transpose(1, 0, 2)


def domain_experts(x, w, own):
    shared = experts_of(x, w, "shared")
    out = []
    for i, d in enumerate(OF):
        if not known(d):
            out.append(shared[i].mean(0))
            continue
        z = x[i]
        if d == 1:
            z = np.concatenate([z, own[(OF[:i] == 1).sum()]])
        gate = softmax(z @ w[f"gate_{d}/kernel"] + w[f"gate_{d}/bias"])
        every = np.concatenate([shared[i], experts_of(z[None], w, f"own_{d}")[0]])
        out.append(gate @ every)
    return np.stack(out)


def test_domain_experts_with_features_of_one_domain(x, rng):
    own = rng.normal(size=((OF == 1).sum(), 2)).astype("float32")
    layer = DomainExperts(DOMAINS, shared=2, own={"films": 3}, units=(5,))
    call = {"inputs": x, "domain": OF, "own": {"films": own}}
    layer(**call)
    w = weights_of(layer)
    np.testing.assert_allclose(layer(**call), domain_experts(x, w, own), rtol=1e-4, atol=1e-5)
    check_gradients(layer, lambda v: domain_experts(x, v, own), w, **call)


def test_shared_experts_may_stand_higher_at_the_start(x):
    layer = DomainExperts(DOMAINS, shared=2, own=1, units=(5,), shared_start=2.0)
    layer(x, OF)
    assert layer.gates[0].bias.numpy().tolist() == [2.0, 2.0, 0.0]


def test_experts_of_domains_may_be_any_layers(x):
    shared = keras.layers.Dense(4, "tanh")
    own = keras.Sequential([keras.layers.Dense(3, "tanh"), keras.layers.Dense(4)])
    layer = DomainExperts(DOMAINS, [shared], {"films": [own]}, units=(4,))
    layer(x, OF)
    layer.gates[1].set_weights([np.zeros((4, 2)), np.log([1.0, 3.0])])
    rows = x[OF == 1]
    want = 0.25 * shared(rows) + 0.75 * own(rows)
    first, second = own.layers
    errors = (
        dense_error(rows, *shared.get_weights()),
        dense_error(first(rows), *second.get_weights(), dense_error(rows, *first.get_weights())),
    )
    # Both sides err, and so does their mixture.
    parts = 0.25 * np.abs(shared(rows)) + 0.75 * np.abs(own(rows))
    error = 2 * (0.25 * errors[0] + 0.75 * errors[1] + sum_error(8, parts))
    assert (np.abs(layer(x, OF).numpy()[OF == 1] - want) <= error).all()
    assert error.max() < 1e-5


def gate(p, w, prefix="", scale=2.0):
    hidden = relu(p @ w[f"{prefix}hidden/kernel"] + w[f"{prefix}hidden/bias"])
    return scale * sigmoid(hidden @ w[f"{prefix}factors/kernel"] + w[f"{prefix}factors/bias"])


def test_gate_unit(x):
    layer = GateUnit(3, hidden_units=5, scale=1.5)
    layer.build(x.shape)
    w = weights_of(layer)
    np.testing.assert_allclose(layer(x), gate(x, w, scale=1.5), rtol=1e-5)
    check_gradients(layer, lambda v: gate(x, v, scale=1.5), w, inputs=x)


def test_ep_net(x, prior):
    layer = EPNetGate(hidden_units=5)
    layer(x, prior)
    w = weights_of(layer)

    def reference(v):
        return gate(np.concatenate([prior, x], 1), v, "gate/") * x

    np.testing.assert_allclose(layer(x, prior), reference(w), rtol=1e-5, atol=1e-6)
    check_gradients(layer, reference, w, inputs=x, prior=prior)


def pp_net(x, prior, w):
    outputs = {}
    seen = np.concatenate([prior, x], 1)
    for task in ("click", "buy"):
        h = x
        for n, activation in enumerate((relu, lambda z: z)):
            h = h * gate(seen, w, f"gate_{task}_{n}/")
            h = activation(h @ w[f"{task}_{n}/kernel"] + w[f"{task}_{n}/bias"])
        outputs[task] = h
    return outputs


def test_pp_net(x, prior):
    layer = PPNet(["click", "buy"], (5, 1))
    layer(x, prior)
    w = weights_of(layer)
    got, want = layer(x, prior), pp_net(x, prior, w)
    for task in want:
        np.testing.assert_allclose(got[task], want[task], rtol=1e-4, atol=1e-5)
    check_gradients(layer, lambda v: pp_net(x, prior, v), w, inputs=x, prior=prior)


@pytest.mark.parametrize("make", [EPNetGate, lambda: PPNet(["click"], (5, 1))])
def test_embeddings_do_not_learn_through_gates(make, x, prior):
    layer = make()
    layer(x, prior)
    weights_of(layer)
    inputs = tf.Variable(x)
    with tf.GradientTape() as tape:
        total = sum(tf.reduce_sum(o) for o in keras.tree.flatten(layer(inputs, prior)))
    got = tape.gradient(total, inputs)
    # The same with the gates' input held apart from what they scale.
    frozen = tf.constant(x)
    if isinstance(layer, EPNetGate):
        want = layer._gate(tf.concat([prior, frozen], 1))
    else:
        with tf.GradientTape() as tape:
            h = inputs
            for one, dense in zip(layer._gates["click"], layer._dense["click"], strict=True):
                h = dense(h * one(tf.concat([prior, frozen], 1)))
            total = tf.reduce_sum(h)
        want = tape.gradient(total, inputs)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def poso(x, prior, w):
    h = x
    for n in range(2):
        dense = relu(h @ w[f"dense_{n}/kernel"] + w[f"dense_{n}/bias"])
        h = gate(prior, w, f"gate_{n}/", scale=3.0) * dense
    return h


def test_poso(x, prior):
    layer = POSO((5, 3), scale=3.0)
    layer(x, prior)
    w = weights_of(layer)
    np.testing.assert_allclose(layer(x, prior), poso(x, prior, w), rtol=1e-4, atol=1e-5)
    check_gradients(layer, lambda v: poso(x, prior, v), w, inputs=x, prior=prior)


def own_parts(layer):
    """Returns how much each domain's own weights are moved by a gradient, by domain."""
    per = dict.fromkeys(range(3), 0.0)
    for weight, gradient in layer:
        if gradient is None:
            continue
        size = np.abs(tf.convert_to_tensor(gradient).numpy())
        numbered = re.search(r"(own|gate)_(\d)/", weight.path)
        if numbered:
            per[int(numbered[2])] += size.sum()
        elif "own_" in weight.path or "domain_vectors" in weight.path:
            for d in per:
                per[d] += size[d].sum()
    return per


@pytest.mark.parametrize("make", [
    lambda: PartitionedNormalization(DOMAINS),
    lambda: StarDense(DOMAINS, 5),
    lambda: Star(DOMAINS, (5, 2)),
    lambda: DomainExperts(DOMAINS, units=(5,)),
], ids=["norm", "dense", "star", "experts"])  # fmt: skip
@pytest.mark.parametrize("chosen", [0, 1, 2])
def test_own_weights_learn_from_own_rows_alone(make, chosen, x):
    layer = make()
    layer(x, OF)
    weights_of(layer)
    with tf.GradientTape() as tape:
        squares = tf.square(layer(x, OF)) * (chosen == OF)[:, None].astype("float32")
        total = tf.reduce_sum(squares)
    weights = layer.trainable_weights
    gradients = tape.gradient(total, [w.value for w in weights])
    moved = own_parts(zip(weights, gradients, strict=True))
    assert moved.pop(chosen) > 0
    assert set(moved.values()) == {0.0}


@pytest.mark.parametrize("make", [
    lambda: Star(DOMAINS, (5, 2)), lambda: DomainExperts(DOMAINS, units=(5,)),
], ids=["star", "experts"])  # fmt: skip
@pytest.mark.parametrize("training", [False, True])
def test_one_domain_for_all_rows_needs_no_routing(make, training, x):
    layer = make()
    layer(x, OF)
    weights_of(layer)
    kwargs = {"training": training} if isinstance(layer, Star) else {}
    want = layer(x, domain=np.full(len(x), 1), **kwargs)
    weights_of(layer)
    np.testing.assert_allclose(layer(x, domain=1, **kwargs), want, rtol=1e-5, atol=1e-6)


def test_a_silent_domain_says_nothing_and_learns_on(x):
    layer = Star(DOMAINS, (5, 2), auxiliary_units=None)
    layer(x, OF)
    weights_of(layer)
    before = layer(x, OF).numpy()
    layer.silence(1)
    after = layer(x, OF).numpy()
    np.testing.assert_array_equal(after[OF == 1], 0.0)
    np.testing.assert_array_equal(after[OF != 1], before[OF != 1])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x, domain=1))
    gradient = tape.gradient(total, layer._dense[-1].own_kernel.value)
    assert np.abs(tf.convert_to_tensor(gradient).numpy()[1]).max() > 0


def test_a_model_that_moved_in_gives_logits():
    price = keras.Input((1,), name="price")
    made = keras.layers.Dense(2, "sigmoid")(price)
    old = keras.Model({"price": price}, {"c": made[:, :1], "b": made[:, 1:]})
    batch = {"price": np.array([[0.5], [2.0]], "float32"), "other": np.zeros(2)}
    got = MovedIn(old, {"click": "c", "buy": "b"})(batch)
    p = {name: one.numpy() for name, one in old({"price": batch["price"]}).items()}
    np.testing.assert_allclose(got["click"], np.log(p["c"] / (1 - p["c"])), rtol=1e-5, atol=1e-6)
    two = MovedIn(keras.Model({"price": price}, made), ["click", "buy"], gives="numbers")(batch)
    np.testing.assert_allclose(two["buy"], p["b"], rtol=1e-6)


def _plain():
    x = keras.Input((1,), name="x")
    return keras.Model({"x": x}, keras.layers.Dense(1)(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StarDense(["a", "a"], 3), "`domains` must be names, at least one and each once"),
        (lambda: Star([]), "`domains` must be names"),
        (lambda: Star(["a"], ()), "`units` must be positive integers"),
        (lambda: DomainExperts(["a"], shared=0), "`experts` must be positive integers"),
        (lambda: GateUnit(0), "`units` must be a positive integer"),
        (lambda: PPNet(["a"], ()), "`units` must be positive integers"),
        (lambda: POSO((0,)), "`units` must be positive integers"),
        (lambda: MovedIn(_plain(), "y", gives="odds"), "`gives` must be one of probabilities"),
        (lambda: MovedIn(keras.Sequential(), "y"), "`columns` must be given, or known"),
        (lambda: MovedIn(_plain(), ["y", "z"])({"x": np.ones((1, 1))}), "as many as columns"),
        (lambda: Star(["a"]).silence(0), "must have no auxiliary network"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
