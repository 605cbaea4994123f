"""Base class of tasks."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import keras

from recs.layers.found_parts import FoundParts
from recs.tasks.sample_weights import checked_weights


def as_list(value: Any) -> list[Any]:
    """Returns nothing as an empty list, one thing as a list of one, and a sequence as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) else [value]


def serialize_all(objects: Sequence[Any]) -> list[Any]:
    """Returns the configurations of Keras objects, for a `get_config`."""
    return [keras.saving.serialize_keras_object(one) for one in objects]


def deserialize_all(config: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Returns `config` with the Keras objects under `names` rebuilt, lists of them too."""
    rebuilt = dict(config)
    for name in names:
        value = rebuilt.get(name)
        if isinstance(value, list):
            rebuilt[name] = [keras.saving.deserialize_keras_object(one) for one in value]
        elif value is not None:
            rebuilt[name] = keras.saving.deserialize_keras_object(value)
    return rebuilt


@keras.saving.register_keras_serializable("recs")
class Task(FoundParts, keras.layers.Layer):
    """Base of the tasks: layers from a model's outputs to a loss, which also keep metrics.

    A task is called inside `compute_loss` and returns the loss as a scalar. It holds its metrics
    as Keras tracks them, so that `fit` resets and reports them. Weights of examples must be finite
    and not negative. Inputs are never cast to half
    precision under a mixed policy: labels, weights and probabilities would lose their value.

    Args:
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `call` of the subclass says them; the result is a scalar, unless its loss is not.

    Example:
    ```python
    >>> from recs.tasks import Retrieval, Task
    >>> isinstance(Retrieval(), Task)
    True

    ```

    Reference: `tfrs.tasks.Task`.
    """

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **{"autocast": False, **kwargs})
        # A task has no weights. Built from the start, it also stays open: metrics may be replaced.
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the task; flags such as `compute_metrics` may be positional, as in TFRS."""
        bound = inspect.signature(self.call).bind(*args, **kwargs)
        if bound.arguments.get("sample_weight") is not None:
            where = f"{type(self).__name__} '{self.name}'"
            weights = checked_weights(bound.arguments["sample_weight"], where)
            bound.arguments["sample_weight"] = weights
        first, *others = bound.arguments.items()
        return super().__call__(first[1], **dict(others))
