"""Recommender models for Keras 3, on embeddings that grow with the ids they see.

The subpackages are imported when they are first used, so that `import recs` costs nothing and
`recs --help` answers at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from recs.version import __version__

if TYPE_CHECKING:
    from recs import (
        callbacks,
        data,
        evaluation,
        examples,
        experimental,
        export,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        plotting,
        tasks,
        types,
        warm_start,
    )
    from recs.models import Model

__all__ = [
    "Model",
    "__version__",
    "callbacks",
    "data",
    "evaluation",
    "examples",
    "experimental",
    "export",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "plotting",
    "tasks",
    "types",
    "warm_start",
]


def __getattr__(name: str) -> Any:
    if name == "Model":
        return importlib.import_module("recs.models").Model
    if name in __all__:
        return importlib.import_module(f"recs.{name}")
    raise AttributeError(f"module 'recs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
