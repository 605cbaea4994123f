"""A folder of a model's whole states, each complete or absent."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.files.json_file import integer, read_json, shown
from recs.files.workspace import Workspace
from recs.layers.resource_layer import layers_with_resources
from recs.ops.library import ops
from recs.training import dense_variables

MANIFEST = "manifest.json"
VERSION = 1
COUNTS = ("version", "tables", "batches", "epochs")
# How states are named, by their batches; nothing else in a folder is read or removed.
STATE_NAME = re.compile(r"[0-9]{12,18}")


class Begun:
    """The state of a model at one moment, on its way into a folder.

    The tables' moments are taken, and the dense variables copied, when this is made.

    Args:
        model: A compiled model or a layer.
        folder: Where the state will be; made where there is none.
        name: By what name.
        about: What to keep with it, numbers by their names.
    """

    def __init__(
        self, model: Any, folder: pathlib.Path, name: str, about: Mapping[str, int]
    ) -> None:
        self.name = name
        self._about = dict(about)
        folder.mkdir(parents=True, exist_ok=True)
        self._workspace = Workspace(folder / name)
        try:
            beside = self._workspace.product
            beside.mkdir()
            self._dense = {p: v.numpy() for p, v in _variables(model).items()}
            self._saves = [
                table.save(beside / f"table_{t:03d}", background=True)
                for t, table in enumerate(tables_of(model))
            ]
        except BaseException:
            self.close()
            raise

    def finish(self) -> None:
        """Waits until all is written."""
        try:
            for save in self._saves:
                save.wait()
            beside = self._workspace.product
            dense_variables.write(beside, self._dense)
            content = {"version": VERSION, "tables": len(self._saves), **self._about}
            (beside / MANIFEST).write_text(json.dumps(content, indent=1) + "\n")
        except BaseException:
            self.close()
            raise

    def publish(self) -> None:
        """Brings all to the disk and gives it its name."""
        self._workspace.publish()

    def close(self) -> None:
        """Removes what has no name yet."""
        self._workspace.close()


def complete(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the complete states of a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _is_state(path))


def _is_state(path: pathlib.Path) -> bool:
    return (
        bool(STATE_NAME.fullmatch(path.name))
        and not path.is_symlink()
        and (path / MANIFEST).is_file()
    )


def restore(model: Any, path: pathlib.Path) -> dict[str, Any]:
    """Gives a model a saved state; returns what was kept with it.

    Raises:
        ValueError: the model has other tables or variables.
        tf.errors.OpError: a file is missing or damaged; the model is as it was.
    """
    about = _about(path)
    tables = tables_of(model)
    variables = _variables(model)
    saved = dict(tf.train.list_variables(str(path / dense_variables.PREFIX)) if variables else [])
    shapes = {p: v.shape.as_list() for p, v in variables.items()}
    fits = shapes.keys() == saved.keys() and all(
        tf.TensorShape(shapes[p]).is_compatible_with(saved[p]) for p in shapes
    )
    if about["tables"] != len(tables) or not fits:
        missing = sorted(set(shapes) ^ set(saved))[:5]
        raise ValueError(
            explain(
                "A saved state",
                rule="must be of a model with the same tables and variables",
                received=f"{about.get('tables')} tables for {len(tables)}, and variables that "
                f"differ: {missing}",
                where=str(path),
                remedy="Build and compile the model as it was when it was saved.",
            )
        )
    values = dense_variables.read(path, variables)
    if tables:
        paths = [str(path / f"table_{t:03d}") for t in range(len(tables))]
        ops().recs_tables_apply([table.handle for table in tables], paths, True)
    dense_variables.assign(variables, values)
    return about


def _about(path: pathlib.Path) -> dict[str, Any]:
    """Returns what was kept with a state; its numbers are integers of 64 bits.

    Raises:
        ValueError: the manifest is damaged, or of another version.
    """
    try:
        about = read_json(path / MANIFEST)
        if not isinstance(about, dict):
            raise ValueError(shown(about))
        about = {name: integer(value) for name, value in about.items()}
        numbers = {name: integer(about.get(name)) for name in COUNTS}
        if numbers["version"] != VERSION:
            raise ValueError(f"version {numbers['version']}, where this release reads {VERSION}")
    except ValueError as error:
        raise ValueError(
            explain(
                "The manifest of a saved state",
                rule=f"must be a JSON object with the counts {', '.join(COUNTS)}",
                received=str(error),
                where=str(path / MANIFEST),
                remedy="Remove the state's folder; the one before it is restored then.",
            )
        ) from None
    return about


def tables_of(model: Any) -> list[Any]:
    """Returns all tables of a model, in the order of its layers."""
    return [table for layer in layers_with_resources(model) for table in layer.tables]


def _variables(model: Any) -> dict[str, tf.Variable]:
    optimizer = getattr(model, "optimizer", None)
    found = dense_variables.state_variables(model)
    if isinstance(optimizer, keras.optimizers.Optimizer):
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        found |= {f"/optimizer/{i}": v.value for i, v in enumerate(optimizer.variables)}
    return found
