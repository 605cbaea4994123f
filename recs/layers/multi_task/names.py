"""Names of tasks, as every layer for several of them takes them."""

from __future__ import annotations

from collections.abc import Sequence

from recs.errors import explain


def checked_names(tasks: Sequence[str], where: str) -> list[str]:
    """Returns the names of tasks.

    Args:
        tasks: The names.
        where: The layer, for messages.

    Raises:
        ValueError: there are none, two are the same, or one is no text.
    """
    names = [tasks] if isinstance(tasks, str) else list(tasks)
    texts = all(isinstance(name, str) and name for name in names)
    if not names or not texts or len(set(names)) < len(names):
        raise ValueError(
            explain(
                "`tasks`",
                rule="must be names, at least one and each once",
                received=f"tasks={tasks!r}",
                where=where,
            )
        )
    return names
