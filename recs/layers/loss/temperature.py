"""A temperature that is learned."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from recs.errors import explain


@keras.saving.register_keras_serializable("recs")
class Temperature(keras.layers.Layer):
    """Scores divided by a temperature that training finds: `y = x / T`, with `T = exp(w)`.

    With vectors of length 1 scores lie between -1 and 1, which no softmax can make anything of;
    how sharp it should be is hard to guess. Give it to a task or a loss as its `temperature`. Its
    optimizer is the model's.

    `T` never falls below `minimum`, where gradients would grow without end.

    Args:
        initial: float, positive. Where `T` starts. Defaults to `0.07`.
        minimum: float, positive. Defaults to `0.01`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: any -> the same, in the dtype it came in.

    Raises:
        ValueError: when `initial` or `minimum` is not positive, or `initial` is below `minimum`.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.loss import Temperature
    >>> float(Temperature(0.5)(np.array(2.0, "float32")))
    4.0

    ```

    Reference: [Radford et al., 2021](https://arxiv.org/abs/2103.00020).
    """

    def __init__(self, initial: float = 0.07, minimum: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if not 0 < minimum <= initial < float("inf"):
            raise ValueError(
                explain(
                    "`initial` and `minimum`",
                    rule="must be positive, and `initial` not the smaller",
                    received=f"initial={initial!r}, minimum={minimum!r}",
                    where=f"Temperature '{self.name}'",
                )
            )
        self.initial = initial
        self.minimum = minimum
        self._log = self.add_weight(
            name="log_temperature",
            shape=(),
            dtype="float32",
            initializer=keras.initializers.Constant(np.log(initial)),
            constraint=AtLeast(float(np.log(minimum))),
            autocast=False,
        )
        self.built = True

    @property
    def value(self) -> Any:
        """The temperature, a differentiable scalar."""
        return ops.exp(ops.convert_to_tensor(self._log))

    def call(self, inputs: Any) -> Any:
        """Returns the inputs divided by the temperature."""
        return inputs / ops.cast(self.value, inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "initial": self.initial, "minimum": self.minimum}


@keras.saving.register_keras_serializable("recs")
class AtLeast(keras.constraints.Constraint):
    """Keeps a weight from falling below a bound.

    Args:
        bound: float.
    """

    def __init__(self, bound: float) -> None:
        self.bound = bound

    def __call__(self, w: Any) -> Any:
        """Returns the weight, or the bound where that is larger."""
        return ops.maximum(w, self.bound)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the constraint."""
        return {"bound": self.bound}
