"""From a configuration to an experiment: names, arguments and types are checked, then objects made.

Text in a configuration stays text: only `class_path` names a class, and only one that
`recs.cli.allowed_classes` knows is made.
"""

from __future__ import annotations

import collections.abc
import inspect
import os
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import yaml

from recs.cli import allowed_classes
from recs.cli.signatures import arguments_of, defaults_of, required_of
from recs.experiments import Experiment
from recs_cli import configuration_file
from recs_cli.errors import UsageError

Tree = dict[str, Any]
_RUN = {"name": None, "runs": "runs"}
_SCALARS = (bool, int, float, str)
_LISTS = (list, tuple, collections.abc.Sequence, collections.abc.Iterable)
_MAPPINGS = (dict, collections.abc.Mapping)


def parse(config: str, overrides: Sequence[str], modules: Sequence[str] = ()) -> Tree:
    """Returns the checked configuration of a file and the command line, defaults filled in.

    Args:
        config: the YAML file.
        overrides: `--KEY=VALUE`, or `--KEY` and `VALUE`.
        modules: modules whose classes may be named besides those of `recs` and Keras. They are
            imported; no other module is.

    Raises:
        UsageError: when a key, a class or a value is wrong.
    """
    tree = configuration_file.read(config, overrides, modules)
    return check(tree, modules, Path(config).stem)


def check(tree: Tree, modules: Sequence[str] = (), name: str = "run") -> Tree:
    """Returns a tree that was read, with its classes and types checked and defaults filled in.

    Raises:
        UsageError: when a key, a class or a value is wrong.
    """
    run = {key: tree.get(key, default) for key, default in _RUN.items()}
    checker = _Checker(modules)
    parts = {key: value for key, value in tree.items() if key not in _RUN}
    checked = checker.arguments(Experiment, parts, "")
    return {**checked, **run, "name": run["name"] or name}


def dump(tree: Tree) -> str:
    """Returns a checked configuration as YAML that `parse` takes."""
    return str(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))


def experiment(tree: Tree, modules: Sequence[str] = ()) -> Experiment:
    """Returns the experiment of a checked configuration, its model drawn from its seed.

    Raises:
        UsageError: when a class refuses its arguments.
    """
    # Before anything is made: the model draws its initial values from this.
    keras.utils.set_random_seed(tree["seed"])
    parts = {key: _make(value, key, modules) for key, value in tree.items() if key not in _RUN}
    return typing.cast(Experiment, _called(Experiment, parts, ""))


def _make(value: Any, where: str, modules: Sequence[str]) -> Any:
    if isinstance(value, dict) and "class_path" in value:
        thing = allowed_classes.resolve(value["class_path"], f"{where}.class_path", modules)
        arguments = value["init_args"].items()
        return _called(thing, {k: _make(v, f"{where}.{k}", modules) for k, v in arguments}, where)
    if isinstance(value, dict):
        return {key: _make(part, f"{where}.{key}", modules) for key, part in value.items()}
    if isinstance(value, list):
        return [_make(part, f"{where}.{n}", modules) for n, part in enumerate(value)]
    return value


def _called(thing: Any, arguments: Tree, where: str) -> Any:
    hints = arguments_of(thing)
    arguments = {
        name: tuple(value) if isinstance(value, list) and _wants_tuple(hints, name) else value
        for name, value in arguments.items()
    }
    try:
        return thing(**arguments)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{where}: {error}" if where else str(error)) from error


def _wants_tuple(hints: dict[str, Any], name: str) -> bool:
    return name in hints and any(
        (typing.get_origin(option) or option) is tuple
        for option in _options(hints[name].annotation)
    )


def _options(hint: Any) -> list[Any]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [option for part in typing.get_args(hint) for option in _options(part)]
    return [hint]


class _Checker:
    """Checks values against types, and completes class paths and defaults.

    Args:
        modules: modules whose classes may be named.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self.modules = modules

    def arguments(self, thing: Any, given: Tree, where: str) -> Tree:
        """Returns the arguments of a class, checked, with its defaults."""
        known = arguments_of(thing)
        name = where.rpartition(".")[2] if where else "The configuration"
        for key in given:
            if key not in known:
                raise UsageError(_unknown_argument(thing, key, known, where or name))
        if missing := [key for key in required_of(thing) if key not in given]:
            raise UsageError(
                f"{where or name} must have {', '.join(missing)}. "
                f"{thing.__name__} takes: {', '.join(known)}."
            )
        checked = {
            key: self.value(value, known[key].annotation, f"{where}.{key}".lstrip("."))
            for key, value in given.items()
        }
        return {**checked, **{k: d for k, d in defaults_of(thing).items() if k not in checked}}

    def value(self, value: Any, hint: Any, where: str) -> Any:
        """Returns a value that fits a type."""
        options = _options(hint)
        classes = tuple(o for o in options if _is_class(o))
        if isinstance(value, dict) and "class_path" in value:
            takes_any = Any in options or not classes
            return self.class_of(value, object if takes_any else classes, where)
        if isinstance(value, str) and classes and not {str, Any} & set(map(_plain, options)):
            return self.class_of({"class_path": value}, classes, where)
        if isinstance(value, dict):
            for option in options:
                if option in allowed_classes.DESCRIBED_BY_KEYS:
                    path = self._public_name(option)
                    return {"class_path": path, "init_args": self.arguments(option, value, where)}
        for option in options:
            fits, checked = self._fitted(value, option, where)
            if fits:
                return checked
        raise UsageError(f"{where} must be {_named(hint)}. Received: {value!r}.")

    def class_of(self, value: Tree, base: Any, where: str) -> Tree:
        """Returns a class and its arguments."""
        if extra := [key for key in value if key not in ("class_path", "init_args")]:
            raise UsageError(
                f"{where} must have the keys class_path and init_args. Received: {extra[0]}."
            )
        name = value["class_path"]
        thing = allowed_classes.resolve(name, f"{where}.class_path", self.modules, base)
        given = value.get("init_args") or {}
        if not isinstance(given, dict):
            raise UsageError(f"{where}.init_args must hold keys and values. Received: {given!r}.")
        path = name if "." in name else self._public_name(thing)
        return {"class_path": path, "init_args": self.arguments(thing, given, where)}

    def _public_name(self, thing: type) -> str:
        return min(
            (path for path, known in allowed_classes.names().items() if known is thing),
            key=len,
            default=f"{thing.__module__}.{thing.__qualname__}",
        )

    def _fitted(self, value: Any, hint: Any, where: str) -> tuple[bool, Any]:
        """Returns whether a value is of a type that is no union, and the value as that type."""
        origin, parts = typing.get_origin(hint) or hint, typing.get_args(hint)
        if hint is None or hint is type(None):
            return value is None, None
        if origin is typing.Literal:
            return any(value == p and type(value) is type(p) for p in parts), value
        if hint is float and type(value) is int:
            return True, float(value)
        if hint in _SCALARS:
            return type(value) is hint, value
        if origin in _LISTS:
            of = parts[0] if parts else Any
            return isinstance(value, list), self._parts_of(value, of, where)
        if origin in _MAPPINGS:
            of = parts[1] if parts else Any
            return isinstance(value, dict), self._parts_of(value, of, where)
        if origin is os.PathLike or origin is collections.abc.Callable:
            return isinstance(value, str), value
        if _is_class(hint):
            return False, None
        return True, self._parts_of(value, Any, where)  # A type that is not checked.

    def _parts_of(self, value: Any, hint: Any, where: str) -> Any:
        if isinstance(value, dict):
            return {key: self.value(part, hint, f"{where}.{key}") for key, part in value.items()}
        if isinstance(value, list):
            return [self.value(part, hint, f"{where}.{n}") for n, part in enumerate(value)]
        return value


def _is_class(hint: Any) -> bool:
    """Returns whether a type is a class that is made of arguments."""
    plain = (*_SCALARS, type(None), object, inspect.Parameter.empty)
    own = inspect.isclass(hint) and hint not in plain and hint not in _LISTS + _MAPPINGS
    return bool(own) and not hint.__module__.startswith(("numpy", "os", "typing", "collections"))


def _plain(hint: Any) -> Any:
    return hint if hint in (str, Any) else None


def _named(hint: Any) -> str:
    """Returns a type as a user writes it: `int | null`, `test | validation`."""
    options = _options(hint)
    if len(options) > 1:
        return " | ".join(map(_named, options))
    if hint is type(None):
        return "null"
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(map(str, parts))
    if parts and typing.get_origin(hint) in _LISTS:
        return f"a list of {_named(parts[0])}"
    return hint.__name__ if inspect.isclass(hint) else str(hint).replace("typing.", "")


def _unknown_argument(thing: Any, key: str, known: dict[str, Any], where: str) -> str:
    keys = list(known)
    if thing is Experiment:
        keys = list(configuration_file.KEYS)
        return configuration_file.unknown_key(where, key, keys, "The keys are")
    name = min(
        (path for path, other in allowed_classes.names().items() if other is thing),
        key=len,
        default=thing.__name__,
    )
    return configuration_file.unknown_key(where, key, keys, f"{name} takes")
