"""Pure functions of tensors behind the losses: no state, no configuration."""
