"""Feature interaction and the dense stack against TFRS: values, gradients, weights, arguments."""

from __future__ import annotations

import itertools
import json

import keras
import keras_rs
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.blocks import MLP
from recs.layers.feature_interaction import Cross, DotInteraction, MultiLayerDCN
from tests.parity.peer import Case, run_tfrs

LAYERS = {"MLP": MLP, "Cross": Cross, "MultiLayerDCN": MultiLayerDCN}
LAYERS["DotInteraction"] = DotInteraction
REGULARIZED = {"kernel_regularizer": "l2", "bias_regularizer": "l1"}


def _case(layer: str, arguments: dict, shapes: list[tuple], width: int, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    arrays = {f"x{i}": rng.normal(size=s).astype("float32") for i, s in enumerate(shapes)}
    arrays["dy"] = rng.normal(size=(*shapes[0][:-1], width)).astype("float32")
    options = {
        "layer": layer,
        "arguments": arguments,
        "inputs": len(shapes),
        "as_list": layer == "DotInteraction",
        "seed": seed,
    }
    return Case("layer", options, arrays)


def _cross_cases():
    for projection, diag, bias, activation in itertools.product(
        (None, 2), (0.0, 0.7), (True, False), (None, "tanh")
    ):
        yield {
            "projection_dim": projection,
            "diag_scale": diag,
            "use_bias": bias,
            "preactivation": activation,
        }
    yield REGULARIZED
    yield {**REGULARIZED, "projection_dim": 3}


def _cases() -> dict[str, Case]:
    cases = []
    for arguments in (
        {"units": [3]},
        {"units": [6, 5, 2], "final_activation": "sigmoid"},
        {"units": [4, 3], "activation": "tanh", "use_bias": False},
    ):
        for shape in ((7, 4), (2, 3, 4)):
            cases.append(("MLP", arguments, [shape], arguments["units"][-1]))
    for number, arguments in enumerate(_cross_cases()):
        shape = (2, 3, 5) if number % 3 == 0 else (7, 5)
        cases.append(("Cross", arguments, [shape] * (1 + number % 2), 5))
    # One `x` for all rows, and one `x0`.
    cases.append(("Cross", {}, [(7, 5), (1, 5)], 5))
    for layers, projection, bias in itertools.product((1, 3), (1, 4), (True, False)):
        arguments = {"num_layers": layers, "projection_dim": projection, "use_bias": bias}
        cases.append(("MultiLayerDCN", arguments, [(7, 5)], 5))
    cases.append(("MultiLayerDCN", REGULARIZED, [(2, 3, 5)], 5))
    for features, itself, skip in itertools.product((1, 2, 5), (False, True), (False, True)):
        arguments = {"self_interaction": itself, "skip_gather": skip}
        chosen = features * (features + 1 if itself else features - 1) // 2
        width = features**2 if skip else chosen
        cases.append(("DotInteraction", arguments, [(7, 4)] * features, width))
    return {f"{i}-{one[0]}": _case(*one, seed=i) for i, one in enumerate(cases)}


CASES = _cases()


@pytest.fixture(scope="module")
def tfrs():
    return run_tfrs("interaction", CASES, "tfrs_layers_side.py")


def computed(case: Case, theirs: dict) -> list:
    """Returns outputs, the sum with the losses, and gradients of inputs and weights."""
    layer = LAYERS[case.options["layer"]](**case.options["arguments"])
    inputs = [tf.constant(case.arrays[f"x{i}"]) for i in range(case.options["inputs"])]
    layer.build([x.shape for x in inputs] if case.options["as_list"] else inputs[0].shape)
    layer.set_weights([theirs[f"w{i}"] for i in range(len(layer.weights))])
    assert f"w{len(layer.weights)}" not in theirs
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs) if case.options["as_list"] else layer(*inputs)
        total = tf.reduce_sum(outputs * case.arrays["dy"]) + sum(layer.losses)
    weights = [v.value for v in layer.trainable_variables]
    return [outputs, total, *tape.gradient(total, [*inputs, *weights])]


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name, tfrs):
    case, theirs = CASES[name], tfrs[name]
    outputs, total, *gradients = computed(case, theirs)
    np.testing.assert_allclose(outputs, theirs["y"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(total, theirs["total"], rtol=1e-5, atol=1e-5)
    assert f"g{len(gradients)}" not in theirs
    for i, gradient in enumerate(gradients):
        gradient = tf.convert_to_tensor(gradient)
        np.testing.assert_allclose(gradient, theirs[f"g{i}"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_arguments_return(name):
    options = CASES[name].options
    kind = LAYERS[options["layer"]]
    config = json.loads(json.dumps(kind(**options["arguments"]).get_config()))
    assert kind.from_config(config).get_config() == config
    simple = {k: v for k, v in options["arguments"].items() if isinstance(v, int | float)}
    assert {k: config[k] for k in simple} == simple


def _keras_rs_can(case: Case) -> bool:
    """Returns whether keras-rs has the layer and takes the inputs; see docs/decisions/009."""
    shapes = {x.shape for key, x in case.arrays.items() if key.startswith("x")}
    if case.options["layer"] == "DotInteraction":
        return case.options["inputs"] > 1
    return case.options["layer"] == "Cross" and len(shapes) == 1


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if _keras_rs_can(case)])
def test_keras_rs_is_of_the_same_opinion(name, tfrs):
    case = CASES[name]
    arguments = dict(case.options["arguments"])
    inputs = [case.arrays[f"x{i}"] for i in range(case.options["inputs"])]
    if case.options["as_list"]:
        theirs = keras_rs.layers.DotInteraction(**arguments)(inputs)
    else:
        arguments["pre_activation"] = arguments.pop("preactivation", None)
        layer = keras_rs.layers.FeatureCross(**arguments)
        layer(*inputs)
        layer.set_weights([tfrs[name][f"w{i}"] for i in range(len(layer.weights))])
        theirs = layer(*inputs)
    np.testing.assert_allclose(computed(case, tfrs[name])[0], theirs, rtol=1e-5, atol=1e-5)


def test_initial_values_are_drawn_alike():
    """Not the same numbers, but the same distribution, and another draw for each weight."""
    layer = MultiLayerDCN(projection_dim=64)
    layer.build((None, 256))
    kernels = [w.numpy() for w in layer.weights if len(w.shape) == 2]
    deviation = np.std(keras.initializers.get("truncated_normal")((256, 256)))
    for kernel in kernels:
        assert kernel.std() == pytest.approx(deviation, rel=0.05)
    for one, other in itertools.combinations(kernels, 2):
        assert (one.ravel() != other.ravel()).any()
