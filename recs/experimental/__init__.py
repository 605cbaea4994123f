"""What TFRS has as experimental, under its names."""

from recs.experimental import models, optimizers

__all__ = ["models", "optimizers"]
