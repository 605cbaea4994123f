"""The public names of TensorFlow Recommenders 0.7.7, under its module paths.

Write `import recs.compat.tfrs as tfrs` in code that was written for TFRS. A name that recs does not
have raises `NotImplementedError` with what to use instead.
"""

from recs.compat.tfrs import examples, experimental, layers, metrics, models, tasks, types
from recs.models import Model

__all__ = ["Model", "examples", "experimental", "layers", "metrics", "models", "tasks", "types"]
