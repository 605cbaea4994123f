"""The classes that a configuration or a model file may name."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import keras

import recs
from recs.data.ranking import RankingFeature, RankingFeatures
from recs.experiments import Evaluation, ItemsFile, Source, Splitter
from recs.layers.ranking import create_tower
from recs_cli.configuration_file import check_name, within
from recs_cli.errors import UsageError

# Packages of recs whose public classes may be named, and what else of recs may be.
ROOTS = (
    recs.data.ranking,
    recs.experimental,
    recs.experiments,
    recs.layers,
    recs.losses,
    recs.metrics,
    recs.models,
    recs.optimizers,
    recs.tasks,
)
# Described by their keys alone, where an argument is of their type.
DESCRIBED_BY_KEYS = (ItemsFile, RankingFeature, RankingFeatures)
EXPERIMENT_PARTS = (Source, Splitter, Evaluation, *DESCRIBED_BY_KEYS)
FUNCTIONS = (create_tower,)
# Modules of Keras and the base of what may be named in them.
KERAS = {
    "keras.constraints": keras.constraints.Constraint,
    "keras.dtype_policies": keras.dtype_policies.DTypePolicy,
    "keras.initializers": keras.initializers.Initializer,
    "keras.layers": keras.layers.Layer,
    "keras.losses": keras.losses.Loss,
    "keras.metrics": keras.metrics.Metric,
    "keras.optimizers": keras.optimizers.Optimizer,
    "keras.optimizers.schedules": keras.optimizers.schedules.LearningRateSchedule,
    "keras.regularizers": keras.regularizers.Regularizer,
}
# Layers that run code of their own, or a file's, or that read files.
REFUSED = {
    "FlaxLayer",
    "JaxLayer",
    "Lambda",
    "TFSMLayer",
    "TorchModuleWrapper",
}
READS_FILES = {"IndexLookup", "IntegerLookup", "StringLookup", "TextVectorization"}


def resolve(name: str, where: str, modules: Sequence[str] = (), base: Any = object) -> Any:
    """Returns the class or function of a name.

    Args:
        name: its public name, as `recs.models.TwoTower`; or without its package, where `base` or a
            subclass of it is meant.
        where: the key at which it stands, for messages.
        modules: modules whose classes are allowed besides those of `recs` and `keras`. They are
            imported; nothing else is.
        base: the class or classes it has to be a subclass of. Defaults to `object`.

    Raises:
        UsageError: when it may not be named, or does not exist, or is of another kind.
    """
    check_name(name, where, modules)
    known = names()
    if "." not in name:
        matches = _kinds(base)
        found = {path: thing for path, thing in known.items() if matches(thing)}
        short = [p for p in found if p.rpartition(".")[2].lower() == name.lower()]
        if len({id(found[path]) for path in short}) != 1:
            message = f"{where} must be the name of a class. Received: {name}.\n"
            raise UsageError(f"{message}The classes are: {', '.join(_shortest(found))}.")
        return found[short[0]]
    if name in known:
        thing = known[name]
    elif within(name, modules):
        thing = _of_module(name, where, modules)
    else:
        raise UsageError(_not_allowed(where, name, list(known)))
    if not _kinds(base)(thing):
        wanted = " or ".join(b.__name__ for b in (base if isinstance(base, tuple) else (base,)))
        raise UsageError(f"{where} must be a {wanted}. Received: {name}.")
    return thing


def import_modules(modules: Sequence[str]) -> None:
    """Imports the modules that the user allows.

    Raises:
        UsageError: when one cannot be found.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise UsageError(
                f"--allow-module must be the name of a module that can be imported. Received: "
                f"{module} ({error}). A module in this folder is found with PYTHONPATH=."
            ) from error


@functools.cache
def names() -> dict[str, Any]:
    """Returns every public name of a class that may be made, with the class."""
    found: dict[str, Any] = {"keras.Sequential": keras.Sequential}
    for root in ROOTS:
        _add_public(root, found)
    for module, base in KERAS.items():
        for name, thing in vars(importlib.import_module(module)).items():
            if inspect.isclass(thing) and issubclass(thing, base) and is_allowed(thing):
                found.setdefault(f"{module}.{name}", thing)
    return {path: thing for path, thing in found.items() if thing.__name__ not in READS_FILES}


def is_allowed(thing: Any, modules: Sequence[str] = ()) -> bool:
    """Returns whether a class is one of recs, Keras or the modules that may be made from a file."""
    if not inspect.isclass(thing):
        return any(thing is function for function in FUNCTIONS)
    if inspect.isabstract(thing):
        return False
    if within(thing.__module__, modules):
        return True
    if within(thing.__module__, ("recs",)):
        return _is_registered(thing) or issubclass(thing, EXPERIMENT_PARTS)
    kinds = (*KERAS.values(), keras.Sequential, keras.random.SeedGenerator)
    return (
        within(thing.__module__, ("keras",))
        and issubclass(thing, kinds)
        and not REFUSED & {base.__name__ for base in thing.__mro__}
    )


def _is_registered(thing: type) -> bool:
    return keras.saving.get_registered_name(thing).startswith("recs")


def _add_public(package: ModuleType, found: dict[str, Any]) -> None:
    for name in getattr(package, "__all__", ()):
        thing = getattr(package, name)
        if inspect.ismodule(thing):
            _add_public(thing, found)
        elif is_allowed(thing):
            found[f"{package.__name__}.{name}"] = thing


def _of_module(name: str, where: str, modules: Sequence[str]) -> Any:
    """Returns what a module of the user defines; what it has imported is not its own."""
    module, _, attribute = name.rpartition(".")
    if not within(module, modules):
        raise UsageError(f"{where} must be a class of {name}. Received: the module itself.")
    import_modules([module])
    thing = getattr(importlib.import_module(module), attribute, None)
    if not callable(thing) or not within(getattr(thing, "__module__", ""), modules):
        raise UsageError(f"{where} must be a class that {module} defines. Received: {name}.")
    return thing


def _kinds(base: Any) -> Any:
    if base is object:
        return lambda thing: True
    # What a function returns is checked when it is called.
    return lambda thing: not inspect.isclass(thing) or issubclass(thing, base)


def _not_allowed(where: str, name: str, known: list[str]) -> str:
    message = f"{where} must be the public name of a class that can be made. Received: {name}."
    near = difflib.get_close_matches(name, known, n=1)
    return "\n".join([message, *(f"Did you mean {path}?" for path in near)])


def _shortest(found: dict[str, Any]) -> list[str]:
    """Returns one name of each class, the shortest."""
    by_class: dict[int, str] = {}
    for path in sorted(found, key=len):
        by_class.setdefault(id(found[path]), path)
    return sorted(by_class.values())
