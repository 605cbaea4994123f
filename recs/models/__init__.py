"""Models."""

from recs.models.base import Model

__all__ = ["Model"]
