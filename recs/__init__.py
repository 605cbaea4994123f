"""Recommender models for Keras 3, on embeddings that grow with the ids they see.

Importing this package imports TensorFlow and every subpackage, so that Keras knows each class by
name and every file that the package writes can be loaded.
"""

from recs import (
    callbacks,
    compat,
    data,
    embedding,
    evaluation,
    examples,
    experimental,
    experiments,
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
from recs.version import __version__

__all__ = [
    "Model",
    "__version__",
    "callbacks",
    "compat",
    "data",
    "embedding",
    "evaluation",
    "examples",
    "experimental",
    "experiments",
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
