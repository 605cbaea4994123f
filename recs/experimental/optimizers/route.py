"""Which of several optimizers updates which weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from recs.errors import explain

Variables = Callable[[], Sequence[Any]]


class RouteByFunction:
    """Asks functions for the weights of each optimizer.

    Not a Keras object and no list, so that nothing tracks the functions.

    Args:
        functions: For each optimizer, in order, what returns its weights.
        where: The optimizer, for messages.
    """

    def __init__(self, functions: Sequence[tuple[int, Variables]], where: str) -> None:
        self._functions = tuple(functions)
        self._where = where

    def __call__(self, variables: Sequence[Any], key: Callable[[Any], Any]) -> list[int]:
        """Returns for each weight the number of its optimizer.

        Args:
            variables: The weights that are trained.
            key: Returns what tells a weight from others.
        """
        chosen: dict[Any, int] = {}
        for number, function in self._functions:
            for variable in function():
                if chosen.setdefault(key(variable), number) != number:
                    raise self._error(
                        "must be the weight of one optimizer", variable, "to more than one"
                    )
        for variable in variables:
            if key(variable) not in chosen:
                raise self._error(
                    "must be the weight of an optimizer, or it would not be trained",
                    variable,
                    "to none",
                )
        return [chosen[key(variable)] for variable in variables]

    def _error(self, rule: str, variable: Any, given: str) -> ValueError:
        return ValueError(
            explain(
                f"Each weight, such as {_name(variable)!r},",
                rule=rule,
                received=f"functions that give it {given}",
                where=self._where,
                remedy="The functions are called when the optimizer is built, so that the layers "
                "must be built before. A table's weight is its layer's `anchor`.",
            )
        )


class RouteByPlace:
    """Repeats the choice that was saved, by the weights' places.

    Args:
        saved: What `described` returned, or None when the optimizer was saved before it was built.
        where: The optimizer, for messages.
    """

    def __init__(self, saved: Sequence[Sequence[Any]] | None, where: str) -> None:
        self._saved = None if saved is None else tuple((n, tuple(s), i) for n, s, i in saved)
        self._where = where

    def __call__(self, variables: Sequence[Any], key: Callable[[Any], Any]) -> list[int]:
        """Returns for each weight the number of its optimizer."""
        shown = described(variables, [0] * len(variables))
        expected = None if self._saved is None else [[n, list(s), 0] for n, s, _ in self._saved]
        if self._saved is None or shown != expected:
            raise ValueError(
                explain(
                    "A CompositeOptimizer that is loaded",
                    rule="must be built on the weights that it was saved with, in their order",
                    received=f"{len(variables)} weights"
                    + (" and none saved" if expected is None else f" for {len(expected)}"),
                    where=self._where,
                    remedy="Compile the model with a new CompositeOptimizer.",
                )
            )
        return [number for _, _, number in self._saved]


def described(variables: Sequence[Any], numbers: Sequence[int]) -> list[list[Any]]:
    """Returns name, shape and optimizer of each weight, as JSON takes it."""
    pairs = zip(variables, numbers, strict=True)
    return [[_name(one).rpartition("/")[2], list(one.shape), number] for one, number in pairs]


def _name(variable: Any) -> str:
    return getattr(variable, "path", variable.name)
