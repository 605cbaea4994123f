"""Parts of a training step, between the data and the optimizer."""
