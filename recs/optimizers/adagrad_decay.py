"""Adagrad that forgets."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.optimizers.checks import check_at_least
from recs.optimizers.dense_gradient import dense_gradient


@keras.saving.register_keras_serializable("recs")
class AdagradDecay(keras.optimizers.Optimizer):
    """Adagrad whose accumulators shrink now and then, so that training can go on for ever.

    Adagrad's steps only become shorter; a model that learns from a stream would come to a stop.
    Here, before every `decay_steps`-th step, `a = max(decay_rate * a, initial_accumulator_value)`;
    every step is Adagrad's: `a += g**2`, `w -= learning_rate * g / sqrt(a + epsilon)`.

    The rows of a table decay by the table's steps, not by their own: a row that was not touched for
    a while decays by what it missed when it is next updated.

    Args:
        learning_rate: A float or a schedule. Defaults to `0.01`.
        initial_accumulator_value: What `a` begins with, and its floor. Defaults to `0.1`.
        decay_steps: Steps from one decay to the next, 2**24 at most. About a quarter of a day's
            steps is usual. Defaults to `100_000`.
        decay_rate: What `a` is multiplied by; 1 for plain Adagrad. Defaults to `0.9`.
        epsilon: Added under the root, above 0. Defaults to `1e-7`.
        **kwargs: The arguments of `keras.optimizers.Optimizer`: `weight_decay`, `clipnorm` etc.

    Raises:
        ValueError: an argument is out of its range.

    Example:
    ```python
    >>> optimizer = recs.optimizers.AdagradDecay(0.1, decay_steps=1_000)
    >>> layer = recs.layers.DynamicEmbedding(4, optimizer=optimizer)

    ```

    Reference: DeepRec's `AdagradDecayOptimizer`, with the same defaults.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        initial_accumulator_value: float = 0.1,
        decay_steps: int = 100_000,
        decay_rate: float = 0.9,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        where = f"AdagradDecay '{self.name}'"
        check_at_least(0.0, where=where, initial_accumulator_value=initial_accumulator_value)
        check_at_least(0.0, where=where, above=True, decay_rate=decay_rate, epsilon=epsilon)
        whole = isinstance(decay_steps, int) and not isinstance(decay_steps, bool)
        if not whole or not 1 <= decay_steps <= 2**24:
            rule, shown = "must be an integer from 1 to 2**24", f"decay_steps={decay_steps!r}"
            raise ValueError(explain("`decay_steps`", rule=rule, received=shown, where=where))
        if decay_rate > 1.0:
            rule, shown = "must be 1 at most", f"decay_rate={decay_rate!r}"
            raise ValueError(explain("`decay_rate`", rule=rule, received=shown, where=where))
        self.initial_accumulator_value = initial_accumulator_value
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.epsilon = epsilon

    def build(self, variables: Any) -> None:
        """Creates an accumulator for each weight."""
        if self.built:
            return
        super().build(variables)
        self._accumulators = self.add_optimizer_variables(
            variables,
            "accumulator",
            initializer=keras.initializers.Constant(self.initial_accumulator_value),
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one dense weight."""
        lr = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(dense_gradient(gradient, variable), variable.dtype)
        accumulator = self._accumulators[self._get_variable_index(variable)]
        steps = ops.convert_to_tensor(self.iterations)
        due = ops.logical_and(steps > 0, steps % self.decay_steps == 0)
        factor = ops.cast(ops.where(due, self.decay_rate, 1.0), variable.dtype)
        decayed = ops.maximum(accumulator * factor, self.initial_accumulator_value)
        self.assign(accumulator, decayed + ops.square(gradient))
        self.assign_sub(variable, lr * gradient / ops.sqrt(accumulator + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "epsilon": self.epsilon,
        }
