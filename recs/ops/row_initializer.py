"""From a Keras initializer to the table's own, a pure function of seed and key."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from recs.errors import explain

CONSTANT, UNIFORM, NORMAL, TRUNCATED_NORMAL = range(4)


@dataclasses.dataclass(frozen=True)
class RowInitializer:
    """The distribution of initial rows, as the engine takes it.

    Attributes:
        kind: `CONSTANT` (the value `a`), `UNIFORM` (from `a` up to `b`), `NORMAL` or
            `TRUNCATED_NORMAL` (mean `a`, standard deviation `b`).
        a: See `kind`.
        b: See `kind`.
    """

    kind: int
    a: float
    b: float = 0.0


def from_keras(initializer: Any, *, where: str) -> RowInitializer:
    """Returns the table's initializer with the distribution of a Keras initializer.

    Keras draws a whole matrix in one order; a table draws each row when its key is first seen.
    So the distribution is kept and the numbers differ. The seed is the layer's, not the
    initializer's.

    Args:
        initializer: A Keras initializer, its name or its configuration: zeros, ones, constant,
            random uniform, random normal or truncated normal.
        where: The layer, for the message.

    Raises:
        ValueError: the initializer has no counterpart.
    """
    initializer = keras.initializers.get(initializer)
    kinds = keras.initializers
    config = initializer.get_config() if hasattr(initializer, "get_config") else {}
    match initializer:
        case kinds.Zeros():
            return RowInitializer(CONSTANT, 0.0)
        case kinds.Ones():
            return RowInitializer(CONSTANT, 1.0)
        case kinds.Constant():
            value = config["value"]
            if isinstance(value, int | float):
                return RowInitializer(CONSTANT, float(value))
        case kinds.RandomUniform():
            return RowInitializer(UNIFORM, float(config["minval"]), float(config["maxval"]))
        case kinds.RandomNormal():
            return RowInitializer(NORMAL, float(config["mean"]), float(config["stddev"]))
        case kinds.TruncatedNormal():
            return RowInitializer(TRUNCATED_NORMAL, float(config["mean"]), float(config["stddev"]))
    raise ValueError(
        explain(
            "`embeddings_initializer`",
            rule="must be one that can draw a row from its key: zeros, ones, constant (a number), "
            "random_uniform, random_normal or truncated_normal",
            received=f"embeddings_initializer={initializer!r}",
            where=where,
            remedy="For variance scaling, give the equal `RandomUniform` or `TruncatedNormal`.",
        )
    )
