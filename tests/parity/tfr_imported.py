"""Imports TF-Ranking on a TensorFlow without estimators: stand-ins take their place.

For processes that run TF-Ranking alone, under TF_USE_LEGACY_KERAS=1.
"""

from __future__ import annotations

import sys
import types


class _Named(type):
    """Classes whose every attribute is its own name."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class _Estimators(types.ModuleType):
    """A module that has every class; none of them is ever used."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Named(name, (), {})


def import_tfr(folder: str):
    """Returns TF-Ranking's module, from a folder it was installed into."""
    for name in ("tensorflow.estimator", "tensorflow.compat.v1.estimator"):
        sys.modules[name] = _Estimators(name)
    sys.path.insert(0, folder)
    import tensorflow_ranking

    return tensorflow_ranking
