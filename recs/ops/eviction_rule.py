"""Eviction rules as the engine takes them."""

from __future__ import annotations

import dataclasses
from typing import Any

from recs.errors import explain


@dataclasses.dataclass(frozen=True)
class EvictionRule:
    """All rules at once, zero for those that are off; `recs.layers.eviction` has each by itself.

    Attributes:
        steps_to_live: A row goes that training has not looked up for so many whole steps.
        seconds_to_live: A row goes that is older than this against the newest time of the table.
        minimum_norm: A row goes whose L2 norm is below, once it has rested.
        minimum_norm_steps: For so many steps.
        max_rows: Rows there may be.
        max_bytes: Bytes that rows, slots, string ids and the index (16 a row) may have.
        victims: Which row goes for a new one: `"least_recent"` or `"least_frequent"`.
    """

    steps_to_live: int = 0
    seconds_to_live: int = 0
    minimum_norm: float = 0.0
    minimum_norm_steps: int = 0
    max_rows: int = 0
    max_bytes: int = 0
    victims: str = "least_recent"

    def attributes(self) -> dict[str, Any]:
        """Returns the attributes of the ops."""
        return dataclasses.asdict(self)


def combined(policies: Any, *, where: str) -> EvictionRule:
    """Returns one rule for policies that each have a `rule()`, such as those of `recs.layers`.

    A row goes as soon as one of them says so.

    Args:
        policies: One, or a list or tuple.
        where: For the message.

    Raises:
        ValueError: something else was given, or two of one kind.
    """
    given = list(policies) if isinstance(policies, list | tuple) else [policies]
    off = EvictionRule().attributes()
    merged: dict[str, Any] = {}
    for policy in given:
        rule = None if isinstance(policy, type) else getattr(policy, "rule", lambda: None)()
        if not isinstance(rule, EvictionRule):
            remedy = "Give instances, such as `StepsToLive(1000)`."
            raise _bad("must be policies of `recs.layers.eviction`", policies, where, remedy)
        changed = {name: v for name, v in rule.attributes().items() if v != off[name]}
        bounds = {"max_rows", "max_bytes"}
        if set(changed) & set(merged) or (bounds & set(changed) and bounds & set(merged)):
            remedy = "`max_rows` and `max_bytes` may be given to one policy together."
            raise _bad("must be of different kinds, one bound at most", policies, where, remedy)
        merged |= changed
    return EvictionRule(**merged)


def _bad(rule: str, received: Any, where: str, remedy: str) -> ValueError:
    text = explain(
        "`eviction`", rule=rule, received=f"eviction={received!r}", where=where, remedy=remedy
    )
    return ValueError(text)
