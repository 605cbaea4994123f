"""Counts or refuses records that cannot be read."""

from __future__ import annotations

import logging

from recs.errors import explain

_LOG = logging.getLogger(__name__)


class Malformed:
    """Raises at the first malformed record, or counts them.

    Args:
        mode: `"raise"` or `"skip"`.
        where: The file.

    Raises:
        ValueError: `mode` is neither.

    Attributes:
        found: Position and reason of each record that was left out.
    """

    def __init__(self, mode: str, where: str) -> None:
        if mode not in ("raise", "skip"):
            rule = "must be 'raise' or 'skip'"
            raise ValueError(
                explain("`malformed`", rule=rule, received=f"malformed={mode!r}", where=where)
            )
        self.mode = mode
        self.where = where
        self.found: list[str] = []

    def add(self, position: str, reason: str) -> None:
        """Notes a record, or raises ValueError."""
        if self.mode == "raise":
            raise ValueError(
                explain(
                    f"Each record, and {position},",
                    rule="must be well-formed",
                    received=reason,
                    where=self.where,
                    remedy="`malformed='skip'` leaves such records out and counts them.",
                )
            )
        if not self.found:
            _LOG.warning(
                "Left out %s of %s: %s; later ones silently.", position, self.where, reason
            )
        self.found.append(f"{position}: {reason}")
