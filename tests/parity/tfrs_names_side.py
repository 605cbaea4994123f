"""Prints what TFRS offers, as JSON: paths from the top, signatures, public methods."""

from __future__ import annotations

import inspect
import json
import types

import tensorflow_recommenders as tfrs

PACKAGE = tfrs.__name__
# Packages whose modules are public; in others a module is the file of a class.
OF_MODULES = ("", "examples", "layers")


def parameters(function):
    """Returns name and default of each parameter but `self`, in order."""
    found = []
    for one in list(inspect.signature(function).parameters.values())[1:]:
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            plain = isinstance(one.default, (int, float, str, tuple, type(None)))
            default = repr(one.default) if plain else None
            found.append([one.name, default])
    return found


def members(kind):
    """Returns the public methods that TFRS's own classes define, and properties as None."""
    found = {}
    for base in kind.__mro__:
        if base.__module__.startswith(PACKAGE):
            for name, member in vars(base).items():
                if not name.startswith("_") or name == "__init__":
                    # What is decorated tells its signature as well.
                    found.setdefault(name, parameters(member) if callable(member) else None)
    return found


def walk(module, path):
    """Yields path and description of all public names below a module."""
    for name, thing in sorted(vars(module).items()):
        full = f"{path}.{name}".lstrip(".")
        if name.startswith("_"):
            continue
        if isinstance(thing, types.ModuleType):
            public = hasattr(thing, "__path__") or path in OF_MODULES
            if public and thing.__name__.startswith(PACKAGE):
                yield from walk(thing, full)
        elif getattr(thing, "__module__", "").startswith(PACKAGE):
            if inspect.isclass(thing):
                yield full, members(thing)
            else:
                yield full, {"__call__": [["", None], *parameters(thing)]}
        elif full == "types.Activation":
            yield full, {}


print(json.dumps(dict(walk(tfrs, ""))))
