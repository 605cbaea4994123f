"""What a training step does between the data and the optimizer."""
