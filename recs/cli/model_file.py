"""Loads `model.keras` of a run: its description is read and checked before anything is made."""

from __future__ import annotations

import inspect
import json
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from recs.cli import allowed_classes
from recs.errors import explain
from recs_cli.configuration_file import within

MAX_BYTES, MAX_DEPTH = 64 << 20, 200
# What Keras stores of values rather than of objects.
_VALUES = {
    "__bytes__",
    "__ellipsis__",
    "__keras_tensor__",
    "__numpy__",
    "__slice__",
    "__tensor__",
}
# Where Keras finds activations, losses and metrics that are functions.
_FUNCTIONS = ("builtins", "keras.activations", "keras.losses", "keras.metrics", "keras.ops")


def load_model(path: Path, modules: Sequence[str] = ()) -> Any:
    """Returns the model of a `.keras` file, if it names allowed classes only.

    Args:
        path: the file.
        modules: modules whose classes are allowed besides those of recs and Keras; they have been
            imported.

    Raises:
        ValueError: when it is no `.keras` file, or names another class.
    """
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo("config.json")
            if entry.file_size > MAX_BYTES:
                raise _error(path, f"a description of {entry.file_size:,} bytes")
            description = json.loads(archive.read(entry))
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        if isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError):
            raise
        raise _error(path, f"a file that is damaged or of another kind ({error})") from error
    for found in _objects(description, path, 0):
        _check(found, path, modules)
    return keras.saving.load_model(path, safe_mode=True)


def check_regular(path: Path) -> None:
    """Checks that a path is a file in its folder, no link out of it and no device.

    Raises:
        ValueError: when it is not.
    """
    if not path.exists() and not path.is_symlink():
        return
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise ValueError(
            explain(
                f"`{path.name}`",
                rule="must be a plain file in the folder of its run, no link, folder or device",
                received=str(path) + (f" -> {os.readlink(path)}" if path.is_symlink() else ""),
                where="recs",
            )
        )


def _objects(value: Any, path: Path, depth: int) -> Iterator[dict[str, Any]]:
    """Yields every part that Keras might make an object of."""
    if depth > MAX_DEPTH:
        raise _error(path, f"a description that is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        for part in value.values():
            yield from _objects(part, path, depth + 1)
    elif isinstance(value, list):
        for part in value:
            yield from _objects(part, path, depth + 1)


def _check(found: dict[str, Any], path: Path, modules: Sequence[str]) -> None:
    name, module = found["class_name"], found.get("module")
    registered = found.get("registered_name") or name
    if not all(isinstance(text, str) for text in (name, module or "", registered)):
        raise _error(path, f"class_name={name!r}, module={module!r}")
    if name in _VALUES:
        return
    if name == "function":
        if not _is_function(found.get("config"), module, modules):
            raise _error(path, f"the function {module}.{found.get('config')}")
        return
    thing = keras.saving.get_registered_object(registered) or _of_keras(name, module)
    if thing is None or not allowed_classes.is_allowed(thing, modules):
        raise _error(path, f"the class {module}.{name}" if module else f"the class {registered}")


def _is_function(name: Any, module: str | None, modules: Sequence[str]) -> bool:
    if not isinstance(name, str):
        return False
    known = keras.saving.get_registered_object(name)
    if known is not None:
        return within(getattr(known, "__module__", ""), ("recs", *modules))
    return module in _FUNCTIONS


def _of_keras(name: str, module: str | None) -> Any:
    """Returns Keras's class of a name; old configurations leave the module out."""
    if module is None or module == "builtins":
        places = ["keras", *allowed_classes.KERAS]
    elif within(module, ("keras",)):
        # A class that is not public is stored with its private module.
        places = [module, "keras", *allowed_classes.KERAS]
    else:
        return None
    for place in places:
        package = keras
        for part in place.split(".")[1:]:
            package = getattr(package, part, None)
        thing = getattr(package, name, None)
        if inspect.isclass(thing):
            return thing
    return None


def _error(path: Path, received: str) -> ValueError:
    return ValueError(
        explain(
            f"`{path.name}`",
            rule="must be a model that names classes of recs and keras only, or of modules that "
            "`--allow-module` names; layers that run code of a file are none of them",
            received=received,
            where="recs",
            remedy="If you trust the file: --allow-module MODULE with the module of the class, or "
            "load it with `keras.saving.load_model`.",
        )
    )
