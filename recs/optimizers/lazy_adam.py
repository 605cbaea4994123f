"""Adam with a choice of what becomes of rows that a step does not touch."""

from __future__ import annotations

from typing import Any

import keras

from recs.errors import explain
from recs.optimizers.dense_gradient import dense_gradient

SKIPPED = ("ignore", "decay")
BIAS_CORRECTIONS = ("table", "row")


@keras.saving.register_keras_serializable("recs")
class LazyAdam(keras.optimizers.Adam):
    """Adam that tracks, per row of a table, the steps it took part in.

    Dense Adam decays all moments in every step. A table moves only the rows of the batch, and
    there are two questions to which plain Adam gives a table the answers that are the defaults:

    - What happens to the moments of a row in the `k` steps that it was not in? With
      `skipped="ignore"` nothing. With `"decay"` they are multiplied by `beta_1**k` and `beta_2**k`
      before its next update, and so are in every step what dense Adam's would be; with
      `weight_decay` the row itself is multiplied by `(1 - weight_decay * learning_rate)**k`. The
      moves that dense Adam makes in such steps out of momentum alone are left out.
    - What is `t` in the bias correction `sqrt(1 - beta_2**t) / (1 - beta_1**t)`? With
      `bias_correction="table"` the step of the table, as in dense Adam; a row that comes late in
      training then begins with moments near zero and no correction: its first move is
      `(1 - beta_1) / sqrt(1 - beta_2)`, about 3.2, times the learning rate. With `"row"` it is the
      number of the row's own updates, and its first move is as long as the learning rate, whenever
      it comes.

    A dense weight is in every step, so for it both are plain Adam. A row of a table that is in
    every step since the first, too.

    Args:
        learning_rate: A float or a schedule. Defaults to `0.001`.
        beta_1: Decay of the first moment. Defaults to `0.9`.
        beta_2: Decay of the second moment. Defaults to `0.999`.
        epsilon: Added to the root of the second moment. Defaults to `1e-7`.
        skipped: `"ignore"` or `"decay"`. Decay costs 4 bytes a row. Defaults to `"ignore"`.
        bias_correction: `"table"` or `"row"`. Row costs 8 bytes a row. Defaults to `"table"`.
        **kwargs: The arguments of `keras.optimizers.Optimizer`: `weight_decay`, `clipnorm` etc.

    Raises:
        ValueError: `skipped` or `bias_correction` is none of those, or `amsgrad` is given.

    Example:
    ```python
    >>> optimizer = recs.optimizers.LazyAdam(0.01, skipped="decay", bias_correction="row")
    >>> layer = recs.layers.DynamicEmbedding(2, embeddings_initializer="ones", optimizer=optimizer)
    >>> model = keras.Sequential([layer])
    >>> model.compile("sgd", "mse")
    >>> model.fit(np.array([[7]]), np.zeros((1, 1, 2)), verbose=0).epoch
    [0]
    >>> print(layer.table.lookup([7]).round(4))
    [[0.99 0.99]]

    ```

    Reference: Kingma, Ba, 2014, "Adam: A Method for Stochastic Optimization"; TensorFlow Addons'
    `LazyAdam`, which is the defaults; FBGEMM's global weight decay, which catches up as here.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        skipped: str = "ignore",
        bias_correction: str = "table",
        **kwargs: Any,
    ) -> None:
        amsgrad = kwargs.pop("amsgrad", False)
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        where = f"LazyAdam '{self.name}'"
        for name, value, known in (
            ("skipped", skipped, SKIPPED),
            ("bias_correction", bias_correction, BIAS_CORRECTIONS),
        ):
            if value not in known:
                rule, shown = f"must be one of {', '.join(known)}", f"{name}={value!r}"
                raise ValueError(explain(f"`{name}`", rule=rule, received=shown, where=where))
        if amsgrad:
            raise ValueError(
                explain(
                    "`amsgrad`",
                    rule="is not an option here",
                    received="amsgrad=True",
                    where=where,
                    remedy="Its maximum does not decay; use `keras.optimizers.Adam(amsgrad=True)`.",
                )
            )
        self.skipped = skipped
        self.bias_correction = bias_correction

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one dense weight, as Adam does with its whole gradient."""
        super().update_step(dense_gradient(gradient, variable), variable, learning_rate)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        config.pop("amsgrad")
        return {**config, "skipped": self.skipped, "bias_correction": self.bias_correction}
