"""The base class of models."""

from recs.compat.tfrs.models import base
from recs.compat.tfrs.models.base import Model

__all__ = ["Model", "base"]
