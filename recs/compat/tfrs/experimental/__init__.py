"""What TFRS calls experimental."""

from recs.compat.tfrs.experimental import layers, models, optimizers

__all__ = ["layers", "models", "optimizers"]
