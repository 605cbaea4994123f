"""A place in the history of a table, from which somebody has yet to follow its changes."""

from __future__ import annotations

import dataclasses
import re

from recs.errors import explain


@dataclasses.dataclass(frozen=True)
class Cursor:
    """Up to where the changes of a table are known: what a base or a delta ends with.

    It fits the table that gave it as long as that lives, and until it is cleared or restored. As
    text it can be kept in a manifest.

    Attributes:
        life: 32 hexadecimal digits, of the table since it was made, cleared or restored.
        epoch: How many bases and deltas were taken in this life so far.

    Example:
    ```python
    >>> from recs.ops.cursor import Cursor
    >>> cursor = Cursor("0123456789abcdef" * 2, 7)
    >>> str(cursor)
    '0123456789abcdef0123456789abcdef-7'
    >>> Cursor.from_string(str(cursor)) == cursor
    True

    ```
    """

    life: str
    epoch: int

    def __str__(self) -> str:
        return f"{self.life}-{self.epoch}"

    @classmethod
    def from_string(cls, text: str) -> Cursor:
        """Returns the cursor of which `str` gave this text.

        Raises:
            ValueError: it is no cursor's text.
        """
        found = re.fullmatch(r"([0-9a-f]{32})-([0-9]{1,19})", text)
        if found is None:
            raise ValueError(
                explain(
                    "A cursor",
                    rule="must be the text of one, such as the manifest of a chain has",
                    received=repr(text),
                    where="Cursor.from_string",
                )
            )
        return cls(found[1], int(found[2]))


def text_of(cursor: Cursor | str | None) -> str:
    """Returns the text that the op takes; empty for no cursor."""
    if cursor is None:
        return ""
    return str(Cursor.from_string(cursor) if isinstance(cursor, str) else cursor)
