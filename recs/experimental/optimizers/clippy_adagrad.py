"""Adagrad whose steps are short beside the weights."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.experimental.optimizers.shrink_by_references import shrink_by_references
from recs.optimizers.checks import check_at_least
from recs.optimizers.dense_gradient import dense_gradient


@keras.saving.register_keras_serializable("recs")
class ClippyAdagrad(keras.optimizers.Optimizer):
    """Adagrad that shortens the step of a weight until no element changes too much.

    With accumulator `a` and gradient `g` of a weight `w`, element by element but for the last line,
    where one number is chosen for the whole weight:

        p     = 1 / sqrt(a + epsilon)
        d     = learning_rate * g * p
        bound = |w| * variable_relative_threshold + p * accumulator_relative_threshold
                + absolute_threshold
        scale = min(1, min(bound / |d|))

    Then `w -= scale * d` and `a += g**2`. A step that would overturn a weight, as a few outliers
    of the gradient cause in large ranking models, is made shorter, and no step longer.

    A sparse gradient, as of `keras.layers.Embedding`, is summed by row first; rows without one do
    not shorten the step. Tables of `DynamicEmbedding` do not follow this optimizer, and say so:
    give the layer an `optimizer=` of its own, or compile a `CompositeOptimizer`.

    Args:
        learning_rate: A float or a schedule; the paper's is 1.0. Defaults to `0.001`.
        initial_accumulator_value: What `a` begins with. Defaults to `0.1`.
        variable_relative_threshold: How much of itself an element may change. Defaults to `0.1`.
        accumulator_relative_threshold: Adds to the bound while the accumulator is small, and less
            and less later. Defaults to `0.0`.
        absolute_threshold: What an element may change in any case; a weight of zeros moves by no
            more than this. Defaults to `1e-7`.
        epsilon: Added under the root. Defaults to `1e-7`.
        export_clipping_factors: bool. Whether `clipping_factors` has the last `scale` of each
            weight, as variables; it is empty otherwise. Defaults to `False`.
        clip_accumulator_update: bool. Whether `a += (scale * g)**2` instead, so that outliers are
            forgotten. Defaults to `False`.
        use_standard_accumulator_update: bool. Whether `a += g**2` comes before all else, as in
            Adagrad. Defaults to `False`.
        name: str. The optimizer's name. Defaults to `"ClippyAdagrad"`.
        **kwargs: The arguments of `keras.optimizers.Optimizer`: `weight_decay`, `clipnorm` etc.

    Raises:
        ValueError: when a threshold, `epsilon` or `initial_accumulator_value` is negative, or when
            both kinds of accumulator update are asked for.

    Example:
    ```python
    >>> import keras
    >>> import tensorflow as tf
    >>> from recs.experimental.optimizers import ClippyAdagrad
    >>> weight = keras.Variable([1.0, 2.0])
    >>> ClippyAdagrad(1.0).apply([tf.constant([10.0, 0.1])], [weight])
    >>> print(weight.numpy().round(4))
    [0.9   1.999]

    ```

    Reference: [Tang et al., 2023](https://arxiv.org/abs/2302.09178), algorithm 2;
    `tfrs.experimental.optimizers.ClippyAdagrad`. Repaired here: `get_config` has all arguments;
    there `use_standard_accumulator_update` is lost.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        variable_relative_threshold: float = 0.1,
        accumulator_relative_threshold: float = 0.0,
        absolute_threshold: float = 1e-7,
        epsilon: float = 1e-7,
        export_clipping_factors: bool = False,
        clip_accumulator_update: bool = False,
        use_standard_accumulator_update: bool = False,
        name: str = "ClippyAdagrad",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self._constants = {
            "initial_accumulator_value": initial_accumulator_value,
            "variable_relative_threshold": variable_relative_threshold,
            "accumulator_relative_threshold": accumulator_relative_threshold,
            "absolute_threshold": absolute_threshold,
            "epsilon": epsilon,
        }
        where = f"ClippyAdagrad '{self.name}'"
        check_at_least(0.0, where=where, above=False, **self._constants)
        if clip_accumulator_update and use_standard_accumulator_update:
            raise ValueError(
                explain(
                    "`clip_accumulator_update` and `use_standard_accumulator_update`",
                    rule="must not both be True",
                    received="True and True",
                    where=where,
                    remedy="The one needs the step's scale first, the other the accumulator.",
                )
            )
        self.export_clipping_factors = export_clipping_factors
        self.clip_accumulator_update = clip_accumulator_update
        self.use_standard_accumulator_update = use_standard_accumulator_update
        self.clipping_factors: list[Any] = []

    def build(self, variables: Any) -> None:
        """Creates the accumulators, and what the scales are exported to."""
        if self.built:
            return
        super().build(variables)
        start = keras.initializers.Constant(self._constants["initial_accumulator_value"])
        self._accumulators = self.add_optimizer_variables(variables, "accumulator", start)
        if self.export_clipping_factors:
            self.clipping_factors = [
                self.add_variable(shape=(), dtype=one.dtype, name="clipping_factor")
                for one in variables
            ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one weight."""
        index = self._get_variable_index(variable)
        accumulator = self._accumulators[index]
        lr = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(dense_gradient(gradient, variable), variable.dtype)
        if self.use_standard_accumulator_update:
            self.assign_add(accumulator, ops.square(gradient))
        inverse_root = ops.rsqrt(accumulator + self._constants["epsilon"])
        delta = lr * gradient * inverse_root
        step, scale = self._shrunk(delta, variable, inverse_root)
        if self.export_clipping_factors:
            self.assign(self.clipping_factors[index], scale)
        if not self.use_standard_accumulator_update:
            counted = gradient * scale if self.clip_accumulator_update else gradient
            self.assign_add(accumulator, ops.square(counted))
        self.assign_sub(variable, step)

    def _shrunk(self, delta: Any, variable: Any, inverse_root: Any) -> tuple[Any, Any]:
        """Returns the step within its bound, and the number up to 1 that scales it."""
        constants = self._constants
        return shrink_by_references(
            delta,
            [variable, inverse_root],
            [
                constants["variable_relative_threshold"],
                constants["accumulator_relative_threshold"],
            ],
            constants["absolute_threshold"],
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            **self._constants,
            "export_clipping_factors": self.export_clipping_factors,
            "clip_accumulator_update": self.clip_accumulator_update,
            "use_standard_accumulator_update": self.use_standard_accumulator_update,
        }
