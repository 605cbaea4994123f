"""Numbers as the quantiles that they exceed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from recs.errors import explain


@keras.saving.register_keras_serializable("recs")
class QuantileSteps(keras.layers.Layer):
    """Replaces each number by steps: 1/2 for each quantile of its feature it exceeds, -1/2 else.

    `adapt` finds the quantiles in training data. A dense layer behind it adds functions of single
    features that rise or fall in steps, as trees do; outliers and scales do not matter. No gradient
    passes. Before `adapt` all quantiles are 0.

    Masking: none.

    Args:
        quantiles: From above 0 to below 1. Defaults to `(0.1, 0.25, 0.5, 0.75, 0.9)`.
        absent: float. The value that stands for a feature that is not known; it does not count for
            the quantiles, which exceed it or not as any other number. Defaults to `0.0`, what
            sparse formats leave out. `None`: all numbers count.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(..., dim)` -> `(..., len(quantiles) * dim)`, the lowest quantile of all features
        first.

    Raises:
        ValueError: when quantiles are out of range, or data is adapted to that is no matrix.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.ranking import QuantileSteps
    >>> steps = QuantileSteps([0.25, 0.5])
    >>> steps.adapt(np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]))  # quantiles 2 and 3
    >>> steps(np.array([[0.0], [2.5], [9.0]])).numpy().tolist()
    [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5]]

    ```
    """

    def __init__(
        self,
        quantiles: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9),
        absent: float | None = 0.0,
        **kwargs: Any,
    ) -> None:
        # Half precision would make different numbers equal.
        super().__init__(**{"autocast": False, **kwargs})
        self.supports_masking = True
        self.quantiles = list(quantiles)
        self.absent = absent
        if not self.quantiles or not all(0 < quantile < 1 for quantile in self.quantiles):
            rule, received = "must be from above 0 to below 1", f"quantiles={self.quantiles}"
            raise self._bad("`quantiles`", rule, received)

    def build(self, input_shape: Any) -> None:
        """Makes room for the quantiles."""
        self.thresholds = self.add_weight(
            name="thresholds",
            shape=(len(self.quantiles), int(input_shape[-1])),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
        )
        self.built = True

    def adapt(self, data: Any) -> None:
        """Finds the quantiles.

        Args:
            data: `(items, dim)`. A feature that is absent everywhere has the quantile `absent`.
        """
        values = np.asarray(data, np.float32)
        if values.ndim != 2:
            raise self._bad("`data`", "must be (items, dim)", f"shape {values.shape}")
        if not self.built:
            self.build(values.shape)
        found = [self._of_feature(column) for column in values.T]
        self.thresholds.assign(np.stack(found, axis=1))

    def _of_feature(self, column: np.ndarray) -> np.ndarray:
        known = column if self.absent is None else column[column != self.absent]
        if not len(known):
            return np.full(len(self.quantiles), self.absent or 0.0, np.float32)
        return np.quantile(known, self.quantiles).astype(np.float32)

    def call(self, inputs: Any) -> Any:
        """Returns the steps."""
        x = ops.expand_dims(ops.cast(inputs, "float32"), -2)
        steps = ops.cast(x > self.thresholds, self.compute_dtype) - 0.5
        size = steps.shape[-1] * steps.shape[-2]
        return ops.reshape(steps, (*ops.shape(inputs)[:-1], size))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the steps."""
        return (*input_shape[:-1], len(self.quantiles) * input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "quantiles": self.quantiles, "absent": self.absent}

    def _bad(self, what: str, rule: str, received: str) -> ValueError:
        where = f"QuantileSteps '{self.name}'"
        return ValueError(explain(what, rule=rule, received=received, where=where))
