"""The signature of a Keras model, from its inputs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.export.inputs import Input, as_input
from recs.layers.row_shapes import check_same_rows


def model_signatures(
    model: keras.layers.Layer, inputs: Any, layers_with_tables: list[Any]
) -> dict[str, Any]:
    """Returns `serving_default`: the model's inputs by name, batched, to its outputs by name.

    Args:
        model: The model, called with `training=False`.
        inputs: What the model is called with, as specs or as a batch of examples. None takes the
            inputs that the model knows.
        layers_with_tables: Of the model.

    Raises:
        ValueError: the model's inputs are not known, or two have the same name.
    """
    structure = _known_inputs(model, layers_with_tables) if inputs is None else inputs
    where = f"model '{model.name}'"
    named = [(_name(path, leaf), leaf) for path, leaf in keras.tree.flatten_with_path(structure)]
    leaves: list[Input] = [as_input(name, leaf, where) for name, leaf in named]
    specs = [spec for leaf in leaves for spec in leaf.specs]
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise _bad("must have different names", str(names), where, "Give them as a dict.")

    @tf.function(input_signature=[{spec.name: spec for spec in specs}])
    @tf.autograph.experimental.do_not_convert
    def serving_default(tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        values = [leaf.assemble(tensors) for leaf in leaves]
        if len(values) > 1 and all(isinstance(one, tf.Tensor) for one in values):
            rows = check_same_rows(dict(zip(names, values, strict=True)), where)
            values = list(rows.values())
        outputs = model(keras.tree.pack_sequence_as(structure, values), training=False)
        return _plain(outputs)

    return {"serving_default": serving_default}


def _known_inputs(model: keras.layers.Layer, layers_with_tables: list[Any]) -> Any:
    """Returns the inputs of a model: those it was made of, or the shapes it was called with."""
    if isinstance(model, keras.Sequential):
        if model.built:
            return model.inputs[0]
    else:
        with contextlib.suppress(AttributeError, ValueError):  # how Keras says that it has none
            return model.input
    called_with = getattr(model, "called_with", None)
    if called_with is not None and None not in keras.tree.flatten(called_with):
        return called_with
    # Keras records shapes but no dtypes. The only input of a model with tables must be ids.
    shapes = _recorded_shapes(model)
    tables = [table for layer in layers_with_tables for table in layer.tables]
    dtypes = {table.key_dtype.name for table in tables} or {model.input_dtype}
    if shapes and len(dtypes) == 1 and (len(shapes) == 1 or not layers_with_tables):
        dtype = dtypes.pop()
        specs = {name: keras.InputSpec(shape=s, dtype=dtype) for name, s in shapes.items()}
        return specs.get(None, specs)
    raise _bad(
        "must be known to export it",
        f"a {type(model).__name__} that "
        + ("has several, of dtypes that Keras does not record" if shapes else "was never called"),
        f"model '{model.name}'",
        "Say what the model is called with, for example "
        "`inputs={'user_id': tf.TensorSpec([None], tf.int64)}`.",
    )


def _recorded_shapes(model: keras.layers.Layer) -> dict[str | None, tuple[int | None, ...]]:
    """Returns the shapes of a model's first call by name, by None when it has a single input."""
    recorded = ((model.get_build_config() or {}) if model.built else {}).get("input_shape")
    shapes = recorded if isinstance(recorded, dict) else {None: recorded}
    known = all(isinstance(s, list | tuple) and all(map(_is_size, s)) for s in shapes.values())
    return {name: tuple(shape or ()) for name, shape in shapes.items()} if known else {}


def _is_size(size: Any) -> bool:
    return size is None or isinstance(size, int)


def _name(path: tuple[Any, ...], leaf: Any) -> str:
    """Returns the name of an input: its keys in dicts, or its own."""
    keys = [part for part in path if isinstance(part, str)]
    name = "_".join(keys) or getattr(leaf, "name", None)
    name = name or "_".join(["inputs", *map(str, path)])
    return re.sub(r"\W", "_", name, flags=re.ASCII)  # of graph nodes; TensorFlow has no other


def _plain(outputs: Any) -> dict[str, tf.Tensor]:
    """Returns outputs as dense tensors by name; `output_0` and so on where they have none."""
    plain = {}
    for i, (path, value) in enumerate(keras.tree.flatten_with_path(outputs)):
        keys = [part for part in path if isinstance(part, str)]
        name = re.sub(r"\W", "_", "_".join(keys), flags=re.ASCII) or f"output_{i}"
        if isinstance(value, tf.RaggedTensor):
            plain[f"{name}_lengths"] = value.row_lengths()
        dense: Callable[[Any], tf.Tensor] = tf.convert_to_tensor
        if isinstance(value, tf.RaggedTensor):
            dense = tf.RaggedTensor.to_tensor
        elif isinstance(value, tf.SparseTensor):
            dense = tf.sparse.to_dense
        plain[name] = dense(value)
    return plain


def _bad(rule: str, received: str, where: str, remedy: str) -> ValueError:
    return ValueError(
        explain("The model's inputs", rule=rule, received=received, where=where, remedy=remedy)
    )
