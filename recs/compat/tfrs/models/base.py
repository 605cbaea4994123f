"""The base class of models."""

from recs.models import Model

__all__ = ["Model"]
