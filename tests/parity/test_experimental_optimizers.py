"""The experimental optimizers against TFRS, for 20 steps."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.experimental.optimizers import ClippyAdagrad, CompositeOptimizer
from tests.parity.peer import Case, run_tfrs

STEPS = 20
CLIPPY_ARGUMENTS = {
    "default": {},
    "paper": {"learning_rate": 1.0},
    "loose": {"learning_rate": 0.5, "variable_relative_threshold": 0.7, "absolute_threshold": 0.1},
    "by-accumulator": {
        "learning_rate": 0.5,
        "accumulator_relative_threshold": 0.05,
        "initial_accumulator_value": 0.3,
        "epsilon": 1e-3,
    },
    "clipped-update": {"learning_rate": 1.0, "clip_accumulator_update": True},
    "standard-update": {"learning_rate": 1.0, "use_standard_accumulator_update": True},
    "schedule": {"absolute_threshold": 1e-2},
}
PARTS = {
    "two": [["SGD", [0]], ["Adam", [1, 2]]],
    "three": [["Adagrad", [2]], ["Adam", [1]], ["SGD", [0]]],
    "crossed": [["Adam", [2, 0]], ["Adagrad", [1]]],
}


def _clippy_case(seed: int, name: str) -> Case:
    rng = np.random.default_rng(seed)
    arrays = {
        "dense": rng.normal(size=(4, 3)),
        "rows": rng.normal(size=(6, 2)),
        # Zeros among them, and outliers.
        "g": rng.normal(size=(STEPS, 4, 3)) ** 3 * (rng.random((STEPS, 4, 3)) > 0.2),
        "values": rng.normal(size=(STEPS, 5, 2)),
        # The same row several times.
        "ids": rng.integers(0, 4, (STEPS, 5)),
    }
    arrays = {k: x if x.dtype == "int64" else x.astype("float32") for k, x in arrays.items()}
    arguments = {**CLIPPY_ARGUMENTS[name], "export_clipping_factors": True}
    return Case("clippy", {"arguments": arguments, "schedule": name == "schedule"}, arrays)


def _composite_case(seed: int, name: str) -> Case:
    rng = np.random.default_rng(seed)
    shapes = [(3,), (4, 2), ()]
    arrays = {f"w{i}": rng.normal(size=s).astype("float32") for i, s in enumerate(shapes)}
    for i, shape in enumerate(shapes):
        arrays[f"g{i}"] = rng.normal(size=(STEPS, *shape)).astype("float32")
    return Case("composite", {"parts": PARTS[name]}, arrays)


CLIPPY = {name: _clippy_case(i, name) for i, name in enumerate(CLIPPY_ARGUMENTS)}
COMPOSITE = {name: _composite_case(i, name) for i, name in enumerate(PARTS)}


@pytest.fixture(scope="module")
def tfrs():
    return run_tfrs("experimental_optimizers", {**CLIPPY, **COMPOSITE}, "tfrs_experimental_side.py")


@pytest.mark.parametrize("name", CLIPPY)
def test_clippy_adagrad(name, tfrs):
    case, theirs = CLIPPY[name], tfrs[name]
    arguments = dict(case.options["arguments"])
    if case.options["schedule"]:
        arguments["learning_rate"] = keras.optimizers.schedules.ExponentialDecay(0.5, 5, 0.5)
    optimizer = ClippyAdagrad(**arguments)
    weights = [keras.Variable(case.arrays["dense"]), keras.Variable(case.arrays["rows"])]
    for step in range(STEPS):
        rows = tf.IndexedSlices(
            tf.constant(case.arrays["values"][step]), tf.constant(case.arrays["ids"][step]), (6, 2)
        )
        optimizer.apply([tf.constant(case.arrays["g"][step]), rows], weights)
        got = np.concatenate([w.numpy().ravel() for w in weights])
        np.testing.assert_allclose(got, theirs["steps"][step], rtol=1e-5, atol=1e-6)
        factors = [float(f.numpy()) for f in optimizer.clipping_factors]
        np.testing.assert_allclose(factors, theirs["factors"][step], rtol=1e-4)


@pytest.mark.parametrize("name", COMPOSITE)
def test_composite_optimizer(name, tfrs):
    case, theirs = COMPOSITE[name], tfrs[name]
    made = {
        "SGD": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        "Adam": lambda: keras.optimizers.Adam(0.05),
        "Adagrad": lambda: keras.optimizers.Adagrad(0.1),
    }
    weights = [keras.Variable(case.arrays[f"w{i}"]) for i in range(3)]
    optimizer = CompositeOptimizer(
        [
            (made[kind](), lambda places=places: [weights[i] for i in places])
            for kind, places in case.options["parts"]
        ]
    )
    for step in range(STEPS):
        gradients = [tf.constant(case.arrays[f"g{i}"][step]) for i in range(3)]
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
    for i, weight in enumerate(weights):
        np.testing.assert_allclose(weight.numpy(), theirs[f"w{i}"], rtol=1e-5, atol=1e-5)
    assert int(optimizer.iterations) == theirs["iterations"] == STEPS
