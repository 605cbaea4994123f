"""The checks that every public layer, loss, metric and task passes."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from recs.layers.table_weight import TableWeight
from recs.models.base import Model
from tests.harness.case import Case


def arrays(outputs: Any) -> list[np.ndarray]:
    """Returns all tensors of a structure as arrays, half precision widened."""
    flat = keras.tree.flatten(outputs)
    return [
        np.asarray(x)
        if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
        else np.asarray(ops.cast(x, "float64"))
        for x in flat
    ]


def tensors(inputs: Any) -> Any:
    """Returns a structure of arrays as tensors."""
    return keras.tree.map_structure(ops.convert_to_tensor, inputs)


def assert_same(first: Any, second: Any, tolerance: float = 1e-5) -> None:
    """Asserts that two structures hold the same values."""
    for a, b in zip(arrays(first), arrays(second), strict=True):
        if a.dtype.kind in "fc":
            scale = max(1.0, float(np.abs(b).max())) if b.size else 1.0
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)
        else:
            np.testing.assert_array_equal(a, b)


def check_config(case: Case) -> None:
    """A configuration is JSON, and gives back an object of the same configuration."""
    made = case.make()
    config = made.get_config()
    again = type(made).from_config(config)
    assert again.get_config() == config
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
    assert stored["registered_name"].startswith("recs>"), stored["registered_name"]
    restored = keras.saving.deserialize_keras_object(stored)
    assert type(restored) is type(made)
    assert json.dumps(restored.get_config(), default=str) == json.dumps(config, default=str)


def check_eager_and_traced(case: Case) -> None:
    """A graph of unknown batch size gives what an eager call gives; `check_fit` has a known one."""
    layer = case.make()
    want = layer(*case.inputs, **case.kwargs)
    inputs = tensors(case.inputs)
    specs = keras.tree.map_structure(lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), inputs)
    traced = tf.function(lambda *x: layer(*x, **case.kwargs), input_signature=specs)
    assert_same(traced(*inputs), want)


def functional(case: Case, layer: Any) -> keras.Model:
    """Returns a functional model of one layer."""
    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=(None, *x.shape[1:]), dtype=x.dtype.name),
        list(tensors(case.inputs)),
    )
    return keras.Model(inputs, layer(*inputs, **case.kwargs))


def check_functional_and_saved(case: Case, folder: pathlib.Path) -> None:
    """A functional model gives the same, and gives it again once it is saved and loaded."""
    layer = case.make()
    want = layer(*case.inputs, **case.kwargs)
    inputs = list(tensors(case.inputs))
    model = functional(case, layer)
    assert_same(model(inputs), want)
    if not case.saved:
        return
    model.save(folder / "m.keras")
    loaded = keras.models.load_model(folder / "m.keras")
    assert_same(loaded(inputs), want)


def check_checkpoint(case: Case, folder: pathlib.Path) -> None:
    """A checkpoint has every variable: Keras keeps those of layers in lists from TensorFlow."""
    layer = case.make()
    layer(*case.inputs, **case.kwargs)
    want = {variable.path: variable.numpy() for variable in layer.variables}
    saved = tf.train.Checkpoint(layer=layer).save(folder / "c")
    for variable in layer.variables:
        if isinstance(variable, TableWeight):
            for table in variable.layer.tables:
                table.clear()
        elif keras.backend.is_float_dtype(variable.dtype):
            variable.assign(ops.ones_like(variable) * 7)
    tf.train.Checkpoint(layer=layer).restore(saved)
    for variable in layer.variables:
        assert np.array_equal(variable.numpy(), want[variable.path]), variable.path


class OneLayer(Model):
    """Trains one layer between a weight of its own and a sum."""

    def __init__(self, layer: Any, kwargs: dict[str, Any]) -> None:
        super().__init__()
        self.layer = layer
        self.kwargs = kwargs
        self.scale = self.add_weight(shape=(), initializer="ones")

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        outputs = keras.tree.flatten(self.layer(*inputs, **self.kwargs))
        floats = [x for x in outputs if keras.backend.is_float_dtype(x.dtype.name)]
        # Squashed: some outputs hold numbers that stand for infinity.
        return sum(ops.mean(ops.softsign(ops.cast(x, "float32"))) for x in floats) * self.scale


def check_fit(case: Case) -> None:
    """`fit` runs, in graphs and eagerly, and both see the same losses."""
    histories = []
    for eager in (False, True):
        keras.utils.set_random_seed(5)
        model = OneLayer(case.make(), case.kwargs)
        model.compile(optimizer=keras.optimizers.SGD(0.01), run_eagerly=eager)
        data = tf.data.Dataset.from_tensors(case.inputs)
        histories.append(model.fit(data, epochs=2, verbose=0).history["total_loss"])
    assert np.isfinite(histories).all()
    np.testing.assert_allclose(*histories, rtol=1e-4, atol=1e-6)


def check_half(case: Case, policy: str) -> None:
    """Half precision stays near full precision."""
    want = case.make()(*case.inputs, **case.kwargs)
    keras.config.set_dtype_policy(policy)
    got = case.make()(*case.inputs, **case.kwargs)
    for a, b in zip(arrays(got), arrays(want), strict=True):
        if a.dtype.kind == "f":
            scale = max(1.0, float(np.abs(b[np.abs(b) < 1e30]).max(initial=0)))
            near = np.abs(a - b) <= case.tolerance * scale
            assert (near | ((a < -1e3) & (b < -1e3))).all(), (a, b)


def check_empty(case: Case) -> None:
    """A batch of none gives results of none, and no NaN."""
    none = keras.tree.map_structure(lambda x: x[:0], case.inputs)
    outputs = case.make()(*none, **case.kwargs)
    assert all(np.isfinite(a).all() for a in arrays(outputs) if a.dtype.kind == "f")


def check_extreme(case: Case) -> None:
    """Values at the end of the range give finite results and gradients."""
    layer = case.make()
    inputs = tensors(case.extreme or ())
    floats = [x for x in keras.tree.flatten(inputs) if x.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        outputs = layer(*inputs, **case.kwargs)
        total = [ops.sum(x) for x in keras.tree.flatten(outputs) if x.dtype.is_floating]
    assert all(np.isfinite(a).all() for a in arrays(outputs) if a.dtype.kind == "f")
    for gradient in tape.gradient(total, floats):
        if gradient is not None:
            # That of a choice of rows is sparse.
            assert np.isfinite(tf.convert_to_tensor(gradient).numpy()).all()


def check_mask(case: Case) -> None:
    """What stands in masked places does not matter."""
    results = []
    for change in (False, True):
        first, *others = case.inputs
        if change:
            shape = (*case.padded.shape, *([1] * (first.ndim - case.padded.ndim)))
            first = np.where(case.padded.reshape(shape), first, first[::-1] + 1)
        tensor = ops.convert_to_tensor(first)
        tensor._keras_mask = ops.convert_to_tensor(case.padded)
        results.append(case.make()(tensor, *others, **case.kwargs))
    assert_same(*results)


def check_loss(case: Case) -> None:
    """A loss is a scalar whose gradient is finite, in `fit` too, also of an empty batch."""
    loss, (labels, predictions) = case.make(), case.inputs
    for y, p in ((labels, predictions), *((case.extreme,) if case.extreme else ())):
        p = ops.convert_to_tensor(p)
        with tf.GradientTape() as tape:
            tape.watch(p)
            value = loss(y, p)
        assert value.shape == ()
        assert np.isfinite(float(value))
        assert np.isfinite(np.asarray(tape.gradient(value, p))).all()
    assert_same(tf.function(loss)(labels, predictions), loss(labels, predictions))
    if case.empty:
        assert np.isfinite(float(ops.sum(loss(labels[:0], predictions[:0]))))
    model = keras.Sequential([keras.layers.Rescaling(1.0)])
    model.compile(loss=case.make(), jit_compile=False)
    value = model.evaluate(predictions, labels, batch_size=len(labels), verbose=0)
    np.testing.assert_allclose(value, float(loss(labels, predictions)), rtol=1e-4, atol=1e-6)


def check_metric(case: Case) -> None:
    """A metric adds up over batches, forgets when told, and works in `compile`."""
    metric, (labels, predictions) = case.make(), case.inputs
    half = len(labels) // 2
    metric.update_state(labels[:half], predictions[:half], **case.kwargs)
    metric.update_state(labels[half:], predictions[half:], **case.kwargs)
    want = float(metric.result())
    whole = case.make()
    whole.update_state(labels, predictions, **case.kwargs)
    np.testing.assert_allclose(want, float(whole.result()), rtol=1e-5)
    if case.empty:
        whole.update_state(labels[:0], predictions[:0], **case.kwargs)
        np.testing.assert_allclose(want, float(whole.result()), rtol=1e-5)
    metric.reset_state()
    metric.update_state(labels, predictions, **case.kwargs)
    np.testing.assert_allclose(float(metric.result()), want, rtol=1e-5)
    model = keras.Sequential([keras.layers.Rescaling(1.0)])
    model.compile(loss=lambda y, p: ops.mean(p) * 0.0, metrics=[case.make()], jit_compile=False)
    logs = model.evaluate(predictions, labels, batch_size=half, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs[metric.name], want, rtol=1e-5)
