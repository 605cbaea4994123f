"""Checked arguments of a table."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import keras

from recs.errors import explain
from recs.layers.policy import checked_admission, checked_eviction, saved_policies
from recs.ops import row_initializer
from recs.ops.eviction_rule import combined
from recs.ops.table import Table
from recs.optimizers.followed_optimizer import updating
from recs.optimizers.row_update import row_update

COMBINERS = (None, "sum", "mean", "sqrtn")
KEY_DTYPES = ("int64", "string")
STORAGE_DTYPES = ("float32", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True)
class TableArguments:
    """The arguments of a table, whichever layer it is for.

    Attributes:
        dim: Length of a row.
        initializer: A Keras initializer.
        regularizer: A Keras regularizer of the distinct rows of a batch, or None.
        key_dtype: `"int64"` or `"string"`.
        optimizer: A Keras optimizer of the table's own, or None.
        default_value: Every element of an unknown id's row outside training.
        storage_dtype: `"float32"`, `"bfloat16"` or `"float16"`.
        seed: With an id, it decides the initial row; None draws one a table.
        cold_ids: What ids without a row get, or None for `default_value`.
        admission: A policy of `recs.layers.admission`, or None.
        eviction: Policies of `recs.layers.eviction`.
    """

    dim: int
    initializer: Any
    regularizer: Any
    key_dtype: str
    optimizer: Any
    default_value: float
    storage_dtype: str
    seed: int | None
    cold_ids: Any
    admission: Any = None
    eviction: tuple[Any, ...] = ()

    @classmethod
    def checked(cls, dim: Any, *, dim_name: str, where: str, **arguments: Any) -> TableArguments:
        """Returns arguments of the right types, from what a user gave.

        Args:
            dim: Length of a row.
            dim_name: What the layer calls it, for messages.
            where: The layer, for messages.
            **arguments: The attributes but `dim`; initializer, regularizer and optimizer also by
                name or configuration, policies by configuration, one policy of eviction alone.

        Raises:
            ValueError: an argument is not of the kinds above, or the optimizer has no row update.
        """
        if not is_positive(dim):
            raise bad_argument(dim_name, "must be a positive integer", dim, where)
        for name, known in (("key_dtype", KEY_DTYPES), ("storage_dtype", STORAGE_DTYPES)):
            if arguments[name] not in known:
                rule = f"must be one of {', '.join(known)}"
                raise bad_argument(name, rule, arguments[name], where)
        arguments["initializer"] = keras.initializers.get(arguments["initializer"])
        arguments["regularizer"] = keras.regularizers.get(arguments["regularizer"])
        arguments["optimizer"] = _resolved_optimizer(arguments["optimizer"], where)
        arguments["cold_ids"] = _resolved_cold_ids(arguments["cold_ids"], where)
        arguments["default_value"] = float(arguments["default_value"])
        arguments["admission"] = checked_admission(arguments.get("admission"), where)
        arguments["eviction"] = checked_eviction(arguments.get("eviction"), where)
        return cls(dim, **arguments)

    def make_table(self, name: str, where: str) -> Table:
        """Returns a new, empty table."""
        # From Python's generator, as Keras's own layers: `keras.utils.set_random_seed` seeds it.
        drawn = random.getrandbits(63)
        return Table(
            self.dim,
            self.key_dtype,
            row_initializer.from_keras(self.initializer, self.dim, where=where),
            seed=drawn if self.seed is None else self.seed,
            default_value=self.default_value,
            storage=self.storage_dtype,
            mean_default=self.cold_ids is not None and self.cold_ids.uses_mean_row,
            name=name,
            admission=None if self.admission is None else self.admission.rule(),
            eviction=combined(self.eviction, where=where),
        )

    def get_config(self) -> dict[str, Any]:
        """Returns all but `dim`, initializer and regularizer, which layers name each their way."""
        own, cold = self.optimizer, self.cold_ids
        return {
            "key_dtype": self.key_dtype,
            "optimizer": None if own is None else keras.optimizers.serialize(own),
            "default_value": self.default_value,
            "storage_dtype": self.storage_dtype,
            "seed": self.seed,
            "cold_ids": None if cold is None else keras.saving.serialize_keras_object(cold),
            "admission": saved_policies(self.admission),
            "eviction": saved_policies(self.eviction),
        }


def check_bags(combiner: Any, mask_key: Any, key_dtype: str, where: str) -> None:
    """Raises unless ids can be combined and masked this way."""
    if combiner not in COMBINERS:
        raise bad_argument("combiner", "must be None, 'sum', 'mean' or 'sqrtn'", combiner, where)
    wanted = int if key_dtype == "int64" else str
    if mask_key is not None and not isinstance(mask_key, wanted):
        raise bad_argument("mask_key", f"must be an id of type {wanted.__name__}", mask_key, where)


def check_name(name: Any, where: str) -> None:
    """Raises unless it can name a table or a feature."""
    if not isinstance(name, str) or not name:
        raise bad_argument("name", "must be a string that is not empty", name, where)


def is_positive(value: Any) -> bool:
    """Returns whether a value is a positive integer."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def bad_argument(argument: str, rule: str, received: Any, where: str) -> ValueError:
    """Returns the error of an argument."""
    text = f"{argument}={received!r}"
    return ValueError(explain(f"`{argument}`", rule=rule, received=text, where=where))


def _resolved_cold_ids(cold_ids: Any, where: str) -> Any:
    if isinstance(cold_ids, dict):
        cold_ids = keras.saving.deserialize_keras_object(cold_ids)
    if cold_ids is None or (hasattr(cold_ids, "fallback") and hasattr(cold_ids, "uses_mean_row")):
        return cold_ids
    rule = "must be one of recs.layers.cold: MeanRow, SharedRows, FromFeatures"
    raise bad_argument("cold_ids", rule, cold_ids, where)


def _resolved_optimizer(optimizer: Any, where: str) -> keras.optimizers.Optimizer | None:
    if optimizer is None:
        return None
    try:
        resolved = keras.optimizers.get(optimizer)
    except ValueError as error:
        rule = "must be a Keras optimizer, its name or its configuration"
        raise bad_argument("optimizer", rule, optimizer, where) from error
    row_update(updating(resolved), where=where)
    return resolved
