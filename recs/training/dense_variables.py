"""The dense variables of a model by where they are in it, in files of TensorFlow's checkpoints."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

PREFIX = "variables"


def state_variables(model: keras.layers.Layer) -> dict[str, tf.Variable]:
    """Returns every variable of a model, of Keras and of TensorFlow, by its path of attributes.

    Those of Keras are the weights; those of TensorFlow are such as the candidates of an index. The
    optimizer and the metrics are no part of what predicts.
    """
    found: dict[int, tuple[str, tf.Variable]] = {}
    for path, item in _reachable(model):
        variable = item.value if isinstance(item, keras.Variable) else item
        found.setdefault(id(variable), (path, variable))
    return dict(found.values())


def write(folder: pathlib.Path, values: Mapping[str, Any]) -> None:
    """Writes variables, or tensors, into a folder in TensorFlow's own format; none are no files."""
    if not values:
        return
    tf.raw_ops.SaveV2(
        prefix=str(folder / PREFIX),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=[tf.convert_to_tensor(value) for value in values.values()],
    )


def read(folder: Any, variables: Mapping[str, tf.Variable]) -> list[tf.Tensor]:
    """Returns what `write` wrote of variables, in their order; in a graph too.

    Args:
        folder: A path, or a string tensor.
        variables: The same as those that were written, by the same paths.

    Raises:
        tf.errors.OpError: a file is missing or damaged, or holds other variables.
    """
    if not variables:
        return []
    tensors = tf.raw_ops.RestoreV2(
        prefix=tf.strings.join([tf.convert_to_tensor(str_of(folder)), "/" + PREFIX]),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        dtypes=[variable.dtype for variable in variables.values()],
    )
    pairs = zip(tensors, variables.values(), strict=True)
    return [tf.ensure_shape(tensor, variable.shape) for tensor, variable in pairs]


def assign(variables: Mapping[str, tf.Variable], values: Sequence[tf.Tensor]) -> None:
    """Gives variables what `read` returned for them."""
    for variable, value in zip(variables.values(), values, strict=True):
        variable.assign(value)


def str_of(path: Any) -> Any:
    """Returns a path as something that TensorFlow takes."""
    return str(path) if isinstance(path, pathlib.Path) else path


def _reachable(root: Any) -> Iterator[tuple[str, Any]]:
    """Yields variables with their paths, each object once, in the order of attributes."""
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        path, item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, keras.Variable | tf.Variable):
            yield path, item
            continue
        waiting.extend(reversed([(f"{path}/{name}", part) for name, part in _parts(item)]))


def _parts(item: Any) -> Sequence[tuple[str, Any]]:
    if isinstance(item, Mapping):
        return [(str(name), part) for name, part in item.items()]
    if isinstance(item, list | tuple):
        return [(str(i), part) for i, part in enumerate(item)]
    if isinstance(item, keras.Metric | keras.optimizers.Optimizer):
        return []
    if isinstance(item, keras.layers.Layer | keras.random.SeedGenerator | tf.Module):
        return list(vars(item).items())
    return []
