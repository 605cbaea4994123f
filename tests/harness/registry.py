"""Finds every entry, and every public class that ought to have one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import keras

from tests.harness import entries
from tests.harness.case import Case

# Packages whose `__all__` is public; packages below `recs.layers` are found by walking.
ROOTS = ("recs.layers", "recs.losses", "recs.metrics", "recs.tasks")

KINDS = (keras.layers.Layer, keras.losses.Loss, keras.metrics.Metric)


def public_classes() -> dict[type, str]:
    """Returns every public layer, loss, metric and task, and where it is public."""
    names = list(ROOTS)
    for root in ROOTS:
        package = importlib.import_module(root)
        for found in pkgutil.iter_modules(package.__path__, f"{root}."):
            if found.ispkg and not found.name.endswith(".functional"):
                names.append(found.name)
    classes: dict[type, str] = {}
    for name in names:
        module = importlib.import_module(name)
        for attribute in getattr(module, "__all__", ()):
            thing = getattr(module, attribute)
            if inspect.isclass(thing) and issubclass(thing, KINDS):
                classes.setdefault(thing, f"{name}.{attribute}")
    return classes


def _collect() -> tuple[dict[type, list[Case]], dict[type, str]]:
    cases: dict[type, list[Case]] = {}
    excused: dict[type, str] = {}
    for found in pkgutil.iter_modules(entries.__path__, f"{entries.__name__}."):
        module = importlib.import_module(found.name)
        for thing, of_class in module.CASES.items():
            cases.setdefault(thing, []).extend(of_class)
        excused.update(getattr(module, "EXCUSED", {}))
    return cases, excused


CASES, EXCUSED = _collect()


def parameters(kind: type | tuple[type, ...]) -> list[Any]:
    """Returns the cases of one kind, as pytest takes them, with readable names."""
    import pytest

    return [
        pytest.param(case, id=thing.__name__ + (f"-{case.label}" if case.label else ""))
        for thing, of_class in CASES.items()
        if issubclass(thing, kind)
        for case in of_class
    ]
