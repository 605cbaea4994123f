"""Names of another package that have no counterpart here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from recs.errors import explain


def omitted(module: str, replacements: Mapping[str, str]) -> Callable[[str], NoReturn]:
    """Returns a module's `__getattr__`, which says what to write instead of each name.

    Args:
        module: The module's name in messages.
        replacements: name to what to use instead.
    """

    def __getattr__(name: str) -> NoReturn:  # noqa: N807
        if name not in replacements:
            raise AttributeError(f"module '{module}' has no attribute '{name}'")
        raise NotImplementedError(
            explain(
                f"`{name}`",
                rule="must be replaced: recs has no counterpart of it",
                received=f"`{module}.{name}`",
                where=module,
                remedy=replacements[name],
            )
        )

    return __getattr__
