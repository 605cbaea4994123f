"""Gradients of tasks that do not work against each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.layers.checked import checked_names


@keras.saving.register_keras_serializable("recs")
class PCGrad(keras.layers.Layer):
    """Gives each task a copy of what is shared, and takes conflicts out of what comes back.

    Forward, every task gets the input. Backward, with `g_t` the gradient of task `t`'s loss with
    respect to its copy, each is freed of what opposes the others, in a random order:
    `g_t <- g_t - (g_t . g_s) / |g_s|^2 g_s` for every other task `s` with `g_t . g_s < 0`, where
    `g_s` is the other's gradient as it came. What lies below gets the sum.

    So it stands between what is shared and the tasks' own networks, in a model like any other:
    there is one backward pass, and embeddings below are updated once a step. The gradients compared
    are those of the whole batch's shared vectors, not of the weights below, which are a linear
    function of them for each example; the towers' own gradients stay as they are.

    Masking: none. An empty batch gives empty results.

    Args:
        tasks: Names of the tasks.
        seed: int. Decides the orders. Defaults to `None`: drawn anew.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, ...)`.
        training: bool. Outside training nothing is drawn.

    Shapes: -> a dict with the input's shape for each task.

    Raises:
        ValueError: `tasks` are no different names.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_task import PCGrad, TaskTowers
    >>> shared = keras.layers.Dense(8, "relu")(keras.Input((4,)))
    >>> tasks = ["click", "buy"]
    >>> outputs = TaskTowers(tasks)(PCGrad(tasks)(shared))

    ```

    Reference: Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020; gradients of the
    representation for those of the weights: Sener and Koltun, "Multi-Task Learning as
    Multi-Objective Optimization", NeurIPS 2018.
    """

    def __init__(self, tasks: Sequence[str], seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tasks = checked_names(tasks, f"PCGrad '{self.name}'")
        self.seed = seed
        self._random = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> dict[str, Any]:
        """Returns the input for each task."""
        count = len(self.tasks)
        if training:
            drawn = keras.random.uniform((count, count), seed=self._random)
            order = ops.argsort(drawn, axis=-1)
        else:
            order = ops.broadcast_to(ops.arange(count), (count, count))

        @ops.custom_gradient
        def copies(shared: Any) -> Any:
            def combined(*upstream: Any) -> Any:
                gradients = ops.stack([ops.reshape(g, (-1,)) for g in upstream])
                parts = ops.cast(surgery(ops.cast(gradients, "float32"), order), gradients.dtype)
                return ops.reshape(ops.matmul(parts, gradients), ops.shape(shared))

            return tuple(ops.copy(shared) for _ in range(count)), combined

        return dict(zip(self.tasks, copies(inputs), strict=True))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "tasks": list(self.tasks), "seed": self.seed}


def surgery(gradients: Any, order: Any) -> Any:
    """Returns how much of each task's gradient the combined one has.

    Every projected gradient is a sum of the given ones, so their inner products say all.

    Args:
        gradients: `(tasks, n)`.
        order: `(tasks, tasks)` int: for each task, in which order it meets all of them. It never
            opposes itself.

    Returns:
        `(tasks,)`.
    """
    count = gradients.shape[0]
    products = ops.matmul(gradients, ops.transpose(gradients))
    total = ops.zeros((count,), gradients.dtype)
    for task in range(count):
        parts = ops.one_hot(task, count, dtype=gradients.dtype)
        for turn in range(count):
            other = order[task, turn]
            against = ops.minimum(ops.sum(parts * products[other]), 0.0)
            square = products[other, other]
            share = ops.where(square > 0, against / ops.where(square > 0, square, 1.0), 0.0)
            parts = parts - share * ops.one_hot(other, count, dtype=gradients.dtype)
        total = total + parts
    return total
