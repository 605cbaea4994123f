"""Conversions, learnt from all that was shown."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain


@keras.saving.register_keras_serializable("recs")
class EntireSpace(keras.layers.Layer):
    """Turns logits of a click and of a conversion after it into three probabilities.

    `p(click) = s(a)`, `p(conversion | click) = s(b)` and `p(click and conversion) = s(a) s(b)`,
    with `s` the sigmoid. A conversion is known only where there was a click, and a model trained on
    clicks alone is served on everything that is shown. So train the first and the last, whose
    labels are known of everything; the second is learnt through their ratio, and is what is served.

    Masking: none. An empty batch gives empty results.

    Args:
        click: Name of the first event, in inputs and outputs. Defaults to `"click"`.
        conversion: Name of the second, given the first. Defaults to `"conversion"`.
        both: Name of their product, in outputs. Defaults to `"click_and_conversion"`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A dict with the logits of both events, of one shape.

    Shapes: -> a dict with three tensors of that shape, float32.

    Raises:
        ValueError: two names are the same, or an input is missing.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.multi_task import EntireSpace
    >>> logits = {"click": keras.ops.zeros((1,)), "conversion": keras.ops.zeros((1,))}
    >>> {name: float(p[0]) for name, p in EntireSpace()(logits).items()}
    {'click': 0.5, 'conversion': 0.5, 'click_and_conversion': 0.25}

    ```

    Reference: Ma et al., "Entire Space Multi-Task Model: An Effective Approach for Estimating
    Post-Click Conversion Rate", SIGIR 2018.
    """

    def __init__(
        self,
        click: str = "click",
        conversion: str = "conversion",
        both: str = "click_and_conversion",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len({click, conversion, both}) < 3:
            raise ValueError(
                explain(
                    "`click`, `conversion` and `both`",
                    rule="must be different names",
                    received=[click, conversion, both],
                    where=f"EntireSpace '{self.name}'",
                )
            )
        self.click = click
        self.conversion = conversion
        self.both = both

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Returns the three probabilities."""
        missing = {self.click, self.conversion} - set(inputs)
        if missing:
            raise ValueError(
                explain(
                    "Inputs",
                    rule=f"must have logits of {self.click!r} and {self.conversion!r}",
                    received=f"a dict without {sorted(missing)}",
                    where=f"EntireSpace '{self.name}'",
                )
            )
        first, second = (
            ops.sigmoid(ops.cast(inputs[name], "float32")) for name in (self.click, self.conversion)
        )
        return {self.click: first, self.conversion: second, self.both: first * second}

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        names = {"click": self.click, "conversion": self.conversion, "both": self.both}
        return {**super().get_config(), **names}
