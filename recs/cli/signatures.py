"""The arguments that a class takes, and their types."""

from __future__ import annotations

import functools
import inspect
import typing
from typing import Any

import keras

Argument = inspect.Parameter
_EMPTY = inspect.Parameter.empty
_STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
# What every layer takes by `**kwargs`.
_OF_LAYERS = ("name", "trainable", "dtype")


@functools.cache
def arguments_of(thing: Any) -> dict[str, Argument]:
    """Returns the arguments of a class or function, types resolved, those of its bases included.

    Args:
        thing: the class or function.
    """
    if not inspect.isclass(thing):
        return _own_arguments(thing)
    found: dict[str, Argument] = {}
    foreign = not thing.__module__.startswith("keras")
    for cls in thing.__mro__[:-1]:
        if "__init__" not in vars(cls):
            continue
        if foreign and cls.__module__.startswith("keras"):
            # Keras's bases: some are swapped when a first functional model is made.
            if issubclass(cls, keras.layers.Layer):
                found |= {n: _keyword(n) for n in _OF_LAYERS if n not in found}
            break
        init = vars(cls)["__init__"]
        found |= {n: a for n, a in _own_arguments(init).items() if n not in found and n != "self"}
        if not _passes_on(init):
            break
    return found


def defaults_of(thing: Any) -> dict[str, Any]:
    """Returns the defaults of a class's own arguments that YAML can hold."""
    own = thing.__init__ if inspect.isclass(thing) else thing
    defaults = {n: a.default for n, a in _own_arguments(own).items() if a.default is not _EMPTY}
    return {n: _as_yaml(d) for n, d in defaults.items() if _is_plain(d)}


def required_of(thing: Any) -> list[str]:
    """Returns the names of the arguments without a default."""
    return [n for n, a in arguments_of(thing).items() if a.default is _EMPTY]


def _own_arguments(function: Any) -> dict[str, Argument]:
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):
        hints = {}
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return {}
    return {
        p.name: p.replace(annotation=hints.get(p.name, Any))
        for p in parameters
        if p.kind not in _STARRED and p.name != "self"
    }


def _passes_on(init: Any) -> bool:
    kinds = [p.kind for p in inspect.signature(init).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds


def _keyword(name: str) -> Argument:
    return Argument(name, Argument.KEYWORD_ONLY, default=None, annotation=Any)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def _as_yaml(value: Any) -> Any:
    return [_as_yaml(part) for part in value] if isinstance(value, list | tuple) else value
