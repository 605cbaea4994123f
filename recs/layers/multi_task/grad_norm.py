"""Weights of tasks that let all of them learn at one pace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.layers.checked import checked_names


class _SumIsCount(keras.constraints.Constraint):
    """Keeps weights positive, with a mean of one."""

    def __call__(self, w: Any) -> Any:
        positive = ops.maximum(w, 1e-3)
        return positive * (positive.shape[0] / ops.sum(positive))


@keras.saving.register_keras_serializable("recs")
class GradNorm(keras.layers.Layer):
    """Gives each task a copy of what is shared, and learns weights that balance what comes back.

    With `G_t` the norm of the gradient of `w_t L_t` with respect to the shared vectors, and `r_t`
    how far the task is behind, `(L_t / L_t(0))` against the mean of all tasks, the weights follow
    the gradient of `sum_t |G_t - mean(G) r_t^alpha|`, the second term taken as constant. Their mean
    stays one.

    It is used twice, which makes the two ends meet: as a layer between what is shared and the
    tasks' own networks, and as `weights=` of `recs.tasks.MultiTask`. There is one backward pass,
    and embeddings below are updated once a step. The losses that `r_t` compares are those of the
    step before.

    Masking: none. An empty batch gives empty results. A task without labels in the batch keeps its
    last loss.

    Args:
        tasks: Names of the tasks.
        alpha: float. How strongly tasks that are behind are drawn forward; 0 makes all gradients
            equally long. Defaults to `1.5`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, ...)`.

    Shapes: -> a dict with the input's shape for each task.

    Raises:
        ValueError: `tasks` are no different names.

    Example:
    ```python
    >>> import keras
    >>> import recs
    >>> tasks = ["click", "buy"]
    >>> balance = recs.layers.multi_task.GradNorm(tasks)
    >>> shared = keras.layers.Dense(8, "relu")(keras.Input((4,)))
    >>> outputs = recs.layers.multi_task.TaskTowers(tasks)(balance(shared))
    >>> losses = {task: keras.losses.BinaryCrossentropy(from_logits=True) for task in tasks}
    >>> task = recs.tasks.MultiTask(losses, weights=balance)

    ```

    Reference: Chen et al., "GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep
    Multitask Networks", ICML 2018. There the norms are of gradients of the last shared weights.
    """

    def __init__(self, tasks: Sequence[str], alpha: float = 1.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tasks = checked_names(tasks, f"GradNorm '{self.name}'")
        self.alpha = alpha
        count = len(self.tasks)
        self.task_weights = self.add_weight(
            shape=(count,), initializer="ones", dtype="float32", autocast=False,
            constraint=_SumIsCount(), name="task_weights",
        )  # fmt: skip
        # 0 is a loss that was never seen.
        self._first, self._last = (
            self.add_weight(
                shape=(count,), initializer="zeros", dtype="float32", autocast=False,
                trainable=False, name=name,
            )
            for name in ("first_losses", "last_losses")
        )  # fmt: skip
        self.built = True

    def call(self, inputs: Any) -> dict[str, Any]:
        """Returns the input for each task."""
        count = len(self.tasks)
        pace = self._pace()

        @ops.custom_gradient
        def copies(shared: Any, weights: Any) -> Any:
            def combined(*upstream: Any) -> Any:
                flat = [ops.cast(ops.reshape(g, (-1,)), "float32") for g in upstream]
                norms = ops.sqrt(ops.stack([ops.sum(ops.square(g)) for g in flat]))
                too_long = ops.sign(norms - ops.mean(norms) * pace)
                return ops.sum(ops.stack(upstream), axis=0), too_long * norms / weights

            return tuple(ops.copy(shared) for _ in range(count)), combined

        found = copies(inputs, ops.convert_to_tensor(self.task_weights))
        return dict(zip(self.tasks, found, strict=True))

    def _pace(self) -> Any:
        first, last = (ops.convert_to_tensor(value) for value in (self._first, self._last))
        seen = first > 0
        ratio = ops.where(seen, last / ops.where(seen, first, 1.0), 1.0)
        return ops.power(ratio / ops.maximum(ops.mean(ratio), 1e-12), self.alpha)

    def weigh(self, losses: Any, present: Any, training: bool) -> Any:
        """Returns the weighed sum of the losses, and notes how far each task is.

        Args:
            losses: `(tasks,)`, in the order of the tasks.
            present: bool `(tasks,)`, whether the batch has labels of a task.
            training: Whether to note them.
        """
        if training:
            now = ops.stop_gradient(losses)
            last = ops.where(present, now, self._last)
            self._first.assign(
                ops.where(self._first > 0, self._first, ops.where(present, now, 0.0))
            )
            self._last.assign(last)
        return ops.sum(ops.stop_gradient(ops.convert_to_tensor(self.task_weights)) * losses)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "tasks": list(self.tasks), "alpha": self.alpha}
