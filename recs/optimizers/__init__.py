"""How Keras optimizers update the rows of tables."""
