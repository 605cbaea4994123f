"""What changes are applied to: a model, or a SavedModel that a process has loaded."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from recs.errors import explain
from recs.layers.resource_layer import layers_with_resources
from recs.ops.library import ops
from recs.training import dense_variables


class Target(Protocol):
    """What can be brought to the state of an entry."""

    def cursors(self) -> tuple[str, ...]:
        """Returns, of each table, up to where it has taken changes over; empty for nowhere."""

    def apply(self, folder: pathlib.Path, base: bool) -> None:
        """Takes an entry over."""


def target_of(target: Any) -> Target:
    """Returns a model, or a loaded SavedModel, as a target.

    Raises:
        ValueError: it is neither, or its export has no tables of the compiled op.
    """
    if isinstance(target, keras.layers.Layer):
        return _Model(target)
    functions = getattr(target, "signatures", {})
    if CURSORS in functions and APPLY in functions:
        return _Loaded(functions)
    raise ValueError(
        explain(
            "What a chain is applied to",
            rule="must be a model, or a loaded export with the compiled op",
            received=f"a {type(target).__name__}"
            + (f" with the signatures {sorted(functions)}" if functions else ""),
            where="DeltaFolder.apply",
            remedy="Export with `recs.export.saved_model(model, path, stock_ops=False)`; an export "
            "of stock operations is a fixed copy.",
        )
    )


class _Model:
    def __init__(self, model: keras.layers.Layer) -> None:
        self._tables = [t for layer in layers_with_resources(model) for t in layer.tables]
        self._variables = dense_variables.state_variables(model)

    def cursors(self) -> tuple[str, ...]:
        return tuple(text.decode() for text in _cursors(self._tables).numpy().tolist())

    def apply(self, folder: pathlib.Path, base: bool) -> None:
        for t, table in enumerate(self._tables):
            if base:
                table.restore(folder / table_file(t))
            else:
                table.apply(folder / table_file(t))
        dense_variables.assign(folder, self._variables)


class _Loaded:
    def __init__(self, functions: Any) -> None:
        self._cursors = functions[CURSORS]
        self._apply = functions[APPLY]

    def cursors(self) -> tuple[str, ...]:
        return tuple(text.decode() for text in self._cursors()["cursors"].numpy().tolist())

    def apply(self, folder: pathlib.Path, base: bool) -> None:
        self._apply(folder=tf.constant(str(folder)), base=tf.constant(base))


# The signatures of an export that takes changes.
CURSORS, APPLY = "delta_cursors", "apply_delta"


def signatures(model: keras.layers.Layer) -> dict[str, Any]:
    """Returns what lets an export with the compiled op take changes over while it serves.

    `delta_cursors` gives where its tables are, as texts. `apply_delta` takes `folder`, the path of
    an entry as the server sees it, and `base`, whether it is a base; it gives the new cursors.
    """
    tables = [table for layer in layers_with_resources(model) for table in layer.tables]
    if not tables:
        return {}
    dense = dense_variables.state_variables(model)

    @tf.function(input_signature=[])
    def delta_cursors() -> dict[str, tf.Tensor]:
        return {"cursors": _cursors(tables)}

    @tf.function(
        input_signature=[tf.TensorSpec([], tf.string, "folder"), tf.TensorSpec([], tf.bool, "base")]
    )
    def apply_delta(folder: tf.Tensor, base: tf.Tensor) -> dict[str, tf.Tensor]:
        for t, table in enumerate(tables):
            path = tf.strings.join([folder, "/" + table_file(t)])
            _restore_or_apply(table, path, base)
        dense_variables.assign(folder, dense)
        return {"cursors": _cursors(tables)}

    return {CURSORS: delta_cursors, APPLY: apply_delta}


def table_file(t: int) -> str:
    """Returns the name of a table's file in an entry."""
    return f"table_{t:03d}"


def _restore_or_apply(table: Any, path: tf.Tensor, base: tf.Tensor) -> None:
    def restore() -> tf.Tensor:
        done = ops().recs_table_restore(table.handle, path, merge=False, slots=True)
        with tf.control_dependencies([done]):
            return tf.constant(True)

    def apply() -> tf.Tensor:
        with tf.control_dependencies([ops().recs_table_apply(table.handle, path)]):
            return tf.constant(False)

    tf.cond(base, restore, apply)


def _cursors(tables: Sequence[Any]) -> tf.Tensor:
    return tf.stack([ops().recs_table_follows(table.handle) for table in tables])
