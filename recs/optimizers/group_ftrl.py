"""FTRL with a sparse group lasso."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.optimizers.checks import check_at_least
from recs.optimizers.dense_gradient import dense_gradient


@keras.saving.register_keras_serializable("recs")
class GroupFtrl(keras.optimizers.Ftrl):
    """FTRL-Proximal that makes whole rows zero when they do not earn their place.

    Ftrl's `l1` makes single elements zero; a row of an embedding is of no use in parts. Here
    `s = z - clip(z, -l1, l1)` is what `l1` leaves of FTRL's `z`, and the row becomes
    `w = -max(0, 1 - sqrt(dim) * l21 / norm(s)) * s / d` with Ftrl's divisor
    `d = a**-learning_rate_power / learning_rate + 2 * l2 + beta / learning_rate`.
    So the row is zero when `norm(s) <= sqrt(dim) * l21`, and comes back when its gradients have
    added up to more. With `l21 = 0` this is `keras.optimizers.Ftrl`.

    FTRL makes a row anew from its gradients in every step, so what it was initially soon does not
    matter; `embeddings_initializer="zeros"` suits it.

    In a dense weight, the last axis is the row. Rows that are zero can be found, and removed, with
    `layer.table.export()`.

    Args:
        learning_rate: A float or a schedule. Defaults to `0.001`.
        learning_rate_power: How steps become shorter, 0 at most. Defaults to `-0.5`.
        initial_accumulator_value: What `a` begins with. Defaults to `0.1`.
        l1_regularization_strength: `l1`. Defaults to `0.0`.
        l2_regularization_strength: `l2`. Defaults to `0.0`.
        l21_regularization_strength: `l21`; the greater, the more rows are zero. Defaults to `0.0`.
        l2_shrinkage_regularization_strength: As in Ftrl. Defaults to `0.0`.
        beta: As in Ftrl. Defaults to `0.0`.
        **kwargs: The arguments of `keras.optimizers.Optimizer`: `weight_decay`, `clipnorm` etc.

    Raises:
        ValueError: a strength or the initial value is negative, or the power is positive.

    Example:
    ```python
    >>> optimizer = recs.optimizers.GroupFtrl(1.0, l21_regularization_strength=0.5)
    >>> rows = keras.Variable([[0.0, 0.0], [0.0, 0.0]])
    >>> optimizer.apply([tf.constant([[0.1, 0.2], [3.0, 4.0]])], [rows])
    >>> (rows.numpy() != 0.0).tolist()
    [[False, False], [True, True]]

    ```

    Reference: Yue et al., 2021, "Adaptive Optimizers with Sparse Group Lasso for Neural Networks in
    CTR Prediction" (Group AdaGrad); McMahan et al., 2013, "Ad Click Prediction: a View from the
    Trenches".
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l21_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            learning_rate_power=learning_rate_power,
            initial_accumulator_value=initial_accumulator_value,
            l1_regularization_strength=l1_regularization_strength,
            l2_regularization_strength=l2_regularization_strength,
            l2_shrinkage_regularization_strength=l2_shrinkage_regularization_strength,
            beta=beta,
            **kwargs,
        )
        where = f"GroupFtrl '{self.name}'"
        check_at_least(0.0, where=where, l21_regularization_strength=l21_regularization_strength)
        self.l21_regularization_strength = l21_regularization_strength

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one dense weight: Ftrl's step, and then the groups."""
        super().update_step(dense_gradient(gradient, variable), variable, learning_rate)
        z = ops.convert_to_tensor(self._linears[self._get_variable_index(variable)])
        l1 = self.l1_regularization_strength
        squares = ops.square(z - ops.clip(z, -l1, l1))
        limit = self.l21_regularization_strength
        if len(variable.shape):
            squares = ops.sum(squares, axis=-1, keepdims=True)
            limit *= float(variable.shape[-1]) ** 0.5
        norm = ops.maximum(ops.sqrt(squares), 1e-30)
        self.assign(variable, variable * ops.maximum(1.0 - limit / norm, 0.0))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "l21_regularization_strength": self.l21_regularization_strength,
        }
