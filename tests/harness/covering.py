"""Chooses, of a test's parameter combinations, those of the default run.

A test with several parameters is a product of them. The default run takes the fewest combinations
in which each value of each parameter occurs; the others are in the slow tier.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Values = frozenset[tuple[str, tuple[int, ...]]]


def covering(combinations: Sequence[Values]) -> set[int]:
    """Returns positions of combinations that have every value, chosen greedily and in order."""
    missing = set().union(*combinations)
    chosen: set[int] = set()
    while missing:
        most = max(range(len(combinations)), key=lambda n: (len(combinations[n] & missing), -n))
        chosen.add(most)
        missing -= combinations[most]
    return chosen


def of_slow_tier(items: Iterable[Any]) -> list[Any]:
    """Returns the tests whose combination of parameters the default run leaves out."""
    groups: dict[tuple[Any, str], list[Any]] = {}
    for item in items:
        if hasattr(item, "callspec") and item.get_closest_marker("slow") is None:
            groups.setdefault((item.parent, item.originalname), []).append(item)
    left_out = []
    for tests in groups.values():
        values = [_values(test) for test in tests]
        chosen = covering(values)
        left_out += [test for n, test in enumerate(tests) if n not in chosen]
    return left_out


def _values(test: Any) -> Values:
    """Returns the values of a test's parameters; the names of one `parametrize` have one value."""
    params = dict(test.callspec.params)
    values = set()
    for mark in test.iter_markers("parametrize"):
        names = mark.args[0]
        names = names.replace(" ", "").split(",") if isinstance(names, str) else names
        values.add(("-".join(names), tuple(id(params.pop(name)) for name in names)))
    return frozenset(values | {(name, (id(value),)) for name, value in params.items()})
