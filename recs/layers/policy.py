"""Base class of admission and eviction policies."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from recs.errors import explain
from recs.ops.admission_rule import AdmissionRule
from recs.ops.eviction_rule import combined


@dataclasses.dataclass(frozen=True)
class Policy:
    """A few numbers that are checked, compared, and saved with the layer they are given to."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Policy:
        """Returns the policy that `get_config` was called on."""
        return cls(**config)

    def _require(self, holds: bool, argument: str, rule: str) -> None:
        if not holds:
            received = f"{argument}={getattr(self, argument)!r}"
            where = type(self).__name__
            raise ValueError(explain(f"`{argument}`", rule=rule, received=received, where=where))

    def _require_count(self, argument: str, least: int = 1, most: int = 2**62) -> None:
        value = getattr(self, argument)
        holds = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        bounds = f"from {least} to {most}" if most < 2**62 else f"of at least {least}"
        self._require(holds, argument, f"must be an integer {bounds}")


def checked_admission(admission: Any, where: str) -> Any:
    """Returns an admission policy or None, from one or its configuration.

    Raises:
        ValueError: it is something else.
    """
    policy = _restored(admission)
    is_one = hasattr(policy, "rule") and not isinstance(policy, type)
    if policy is None or (is_one and isinstance(policy.rule(), AdmissionRule)):
        return policy
    rule = "must be a policy of `recs.layers.admission` or None"
    received = f"admission={admission!r}"
    remedy = "Give an instance, such as `MinimumCount(3)`."
    text = explain("`admission`", rule=rule, received=received, where=where, remedy=remedy)
    raise ValueError(text)


def checked_eviction(eviction: Any, where: str) -> tuple[Any, ...]:
    """Returns eviction policies, from none, one or several, or their configurations.

    Raises:
        ValueError: one is something else, or two are of one kind.
    """
    if eviction is None:
        return ()
    given = eviction if isinstance(eviction, list | tuple) else [eviction]
    policies = tuple(_restored(policy) for policy in given)
    combined(policies, where=where)
    return policies


def saved_policies(policies: Any) -> Any:
    """Returns the configuration of a policy, of several as a list, or None for none."""
    if isinstance(policies, tuple):
        return [keras.saving.serialize_keras_object(policy) for policy in policies] or None
    return None if policies is None else keras.saving.serialize_keras_object(policies)


def _restored(policy: Any) -> Any:
    if isinstance(policy, dict):
        return keras.saving.deserialize_keras_object(policy)
    return policy
