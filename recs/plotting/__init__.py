"""Plots of training."""

from recs.plotting.training_curves import save_training_curves, training_curves

__all__ = ["save_training_curves", "training_curves"]
