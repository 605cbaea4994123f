"""A whole model as an expert of its domain."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from recs.errors import explain

GIVES = ("probabilities", "logits", "numbers")


@keras.saving.register_keras_serializable("recs")
class MovedIn(keras.layers.Layer):
    """A model of one domain, trained before, as an expert of a model of many.

    It is asked as it always was, with the columns that it reads, and what it gives becomes a logit
    for each target: `log(p / (1 - p))` of a probability, the number itself otherwise. Its weights
    are its own, and are trained further unless it is frozen.

    Masking: none.

    Args:
        model: Any Keras model from a dict of columns to predictions: a tensor, or a dict of such.
        targets: The targets that it predicts: one name for a model that gives a tensor, several for
            a tensor with a column each, or a dict, target to the name of the output.
        gives: `"probabilities"`, `"logits"`, or `"numbers"` for targets that are no yes or no.
            Defaults to `"probabilities"`.
        columns: The columns that it reads. Defaults to `None`: what it says as `model.columns`, or
            the names of its inputs.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: a dict of columns `(batch, ...)` -> a dict with `(batch, 1)` float32 for each target.

    Raises:
        ValueError: the columns are not known, `gives` is none of these, or the model does not give
            a target.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.layers.multi_domain import MovedIn
    >>> price = keras.Input((1,), name="price")
    >>> old = keras.Model({"price": price}, keras.layers.Dense(1, "sigmoid")(price))
    >>> expert = MovedIn(old, "click")
    >>> sorted(expert({"price": np.ones((2, 1), "float32")})), expert.columns
    (['click'], ['price'])

    ```
    """

    def __init__(
        self,
        model: keras.Model,
        targets: str | Sequence[str] | Mapping[str, str],
        gives: str = "probabilities",
        columns: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if gives not in GIVES:
            raise self._wrong("`gives`", f"must be one of {', '.join(GIVES)}", f"gives={gives!r}")
        self.model = model
        self.outputs = dict(targets) if isinstance(targets, Mapping) else None
        self.targets = [targets] if isinstance(targets, str) else list(targets)
        self.gives = gives
        found = _columns_of(model) if columns is None else list(columns)
        if not found:
            received = f"a {type(model).__name__} with neither `columns` nor inputs by name"
            raise self._wrong("`columns`", "must be given, or known to the model", received)
        self.columns = found
        self.built = True

    def call(self, inputs: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        """Returns a logit, or a number, for each target."""
        made = self.model({name: inputs[name] for name in self.columns}, training=training)
        return {
            target: self._logit(one)
            for target, one in zip(self.targets, self._outputs_of(made), strict=True)
        }

    def _outputs_of(self, made: Any) -> list[Any]:
        if isinstance(made, Mapping):
            names = [(self.outputs or {}).get(target, target) for target in self.targets]
            if missing := sorted(set(names) - set(made)):
                rule = f"must be among the model's outputs, {', '.join(sorted(made))}"
                raise self._wrong("`targets`", rule, f"{missing}")
            return [made[name] for name in names]
        if len(self.targets) == 1:
            return [made]
        if len(made.shape) != 2 or made.shape[1] != len(self.targets):
            rule = "must be as many as columns of the model's output"
            raise self._wrong("`targets`", rule, f"{self.targets}, for shape {made.shape}")
        return [made[:, n] for n in range(len(self.targets))]

    def _logit(self, made: Any) -> Any:
        x = ops.cast(ops.reshape(made, (-1, 1)), "float32")
        if self.gives != "probabilities":
            return x
        p = ops.clip(x, 1e-7, 1.0 - 1e-7)
        return ops.log(p) - ops.log1p(-p)

    def input_specs(self) -> dict[str, Any]:
        """Returns shape and dtype of each column, as far as the model says."""
        if hasattr(self.model, "serving_signatures"):
            default = self.model.serving_signatures().get("serving_default")
            specs = getattr(default, "input_signature", None)
            if specs and isinstance(specs[0], Mapping):
                return {name: specs[0][name] for name in self.columns if name in specs[0]}
        given = getattr(self.model, "input", None) if _has_inputs(self.model) else None
        return {name: given[name] for name in self.columns} if isinstance(given, Mapping) else {}

    def _wrong(self, what: str, rule: str, received: str) -> ValueError:
        where = f"MovedIn '{self.name}'"
        return ValueError(explain(what, rule=rule, received=received, where=where))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "targets": list(self.targets) if self.outputs is None else dict(self.outputs),
            "gives": self.gives,
            "columns": list(self.columns),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MovedIn:
        """Rebuilds the layer from `get_config`."""
        # A copy: Keras takes configurations of functional models apart as it reads them.
        model = keras.saving.deserialize_keras_object(copy.deepcopy(config["model"]))
        return cls(**{**config, "model": model})


def _has_inputs(model: Any) -> bool:
    return isinstance(getattr(model, "inputs", None), list) and bool(model.inputs)


def _columns_of(model: Any) -> list[str]:
    known = getattr(model, "columns", None)
    if known is not None:
        return list(known)
    given = model.input if _has_inputs(model) else None
    return list(given) if isinstance(given, Mapping) else []
