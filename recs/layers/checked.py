"""Arguments that several layers take, checked."""

from __future__ import annotations

from collections.abc import Sequence

from recs.errors import explain


def checked_names(names: Sequence[str], where: str, argument: str = "tasks") -> list[str]:
    """Returns names, of tasks or domains.

    Args:
        names: They, or a single one.
        where: The layer, for messages.
        argument: What the layer calls them.

    Raises:
        ValueError: there are none, two are the same, or one is no text.
    """
    given = [names] if isinstance(names, str) else list(names)
    texts = all(isinstance(name, str) and name for name in given)
    if not given or not texts or len(set(given)) < len(given):
        raise ValueError(
            explain(
                f"`{argument}`",
                rule="must be names, at least one and each once",
                received=f"{argument}={names!r}",
                where=where,
            )
        )
    return given


def checked_units(units: Sequence[int], where: str) -> list[int]:
    """Returns the sizes of layers.

    Args:
        units: They.
        where: The layer, for messages.

    Raises:
        ValueError: there are none, or one is no positive integer.
    """
    sizes = list(units)
    if not sizes or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(
            explain(
                "`units`",
                rule="must be positive integers, one for each layer",
                received=f"units={units!r}",
                where=where,
            )
        )
    return sizes
