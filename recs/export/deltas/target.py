"""Targets of deltas: a model, or a SavedModel that a process has loaded."""

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
    """Base class of the targets of deltas."""

    def cursors(self) -> tuple[str, ...]:
        """Returns, of each table, up to where it has taken changes over; empty for nowhere."""

    def apply(self, folder: pathlib.Path, base: bool, cursors: tuple[str, ...]) -> None:
        """Takes an entry over, which leads to these cursors: tables and variables, or nothing."""


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

    def apply(self, folder: pathlib.Path, base: bool, cursors: tuple[str, ...]) -> None:
        values = dense_variables.read(folder, self._variables)
        try:
            apply_to_tables(self._tables, str(folder), tf.constant(base))
            dense_variables.assign(self._variables, values)
        except BaseException:
            # Ctrl-C is raised once the tables have changed: the variables must follow.
            if self.cursors() == cursors:
                dense_variables.assign(self._variables, values)
            raise


class _Loaded:
    def __init__(self, functions: Any) -> None:
        self._cursors = functions[CURSORS]
        self._apply = functions[APPLY]

    def cursors(self) -> tuple[str, ...]:
        return tuple(text.decode() for text in self._cursors()["cursors"].numpy().tolist())

    def apply(self, folder: pathlib.Path, base: bool, cursors: tuple[str, ...]) -> None:
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
        values = dense_variables.read(folder, dense)
        with tf.control_dependencies(values):
            applied = apply_to_tables(tables, folder, base)
        with tf.control_dependencies([applied]):
            dense_variables.assign(dense, values)
        return {"cursors": _cursors(tables)}

    return {CURSORS: delta_cursors, APPLY: apply_delta}


def table_file(t: int) -> str:
    """Returns the name of a table's file in an entry."""
    return f"table_{t:03d}"


def apply_to_tables(tables: Sequence[Any], folder: Any, base: tf.Tensor) -> Any:
    """Takes the files of tables in a folder over: all of them, or, when it raises, none.

    Args:
        tables: The tables.
        folder: Their files' folder, as a text or a string tensor.
        base: Whether they are whole states, a bool tensor.

    Returns:
        The operation, in a graph.

    Raises:
        tf.errors.OpError: a file cannot be read, is damaged, or does not follow its table.
    """
    paths = [tf.strings.join([folder, f"/{table_file(t)}"]) for t in range(len(tables))]
    return ops().recs_tables_apply([table.handle for table in tables], tf.stack(paths), base)


def _cursors(tables: Sequence[Any]) -> tf.Tensor:
    return tf.stack([ops().recs_table_follows(table.handle) for table in tables])
