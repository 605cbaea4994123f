"""A file of interactions of one's own, in a configuration."""

from __future__ import annotations

import abc
from typing import Literal

from recs.data.interactions import Interactions
from recs.data.items import Items
from recs.experiments.items_file import ItemsFile
from recs.experiments.source import Source


class InteractionsFile(Source, abc.ABC):
    """Base class of sources that read a file of interactions: columns, catalogue and ids.

    Args:
        path: The file; a relative path starts in the current folder.
        user: The column of user ids.
        item: The column of item ids.
        rating: The column of ratings. Defaults to `None`: none.
        timestamp: The column of times. Defaults to `None`: none, and only `AtRandom` can split.
        items: The catalogue. Defaults to `None`: the items of the interactions, without titles.
        id_type: `"string"` or `"int64"`. Defaults to `"string"`.
    """

    def __init__(
        self,
        path: str,
        user: str,
        item: str,
        rating: str | None = None,
        timestamp: str | None = None,
        items: ItemsFile | None = None,
        id_type: Literal["string", "int64"] = "string",
    ) -> None:
        self.path = path
        self.roles = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
        self.items = items
        self.id_type = id_type

    def load(self) -> Interactions:
        """Returns the interactions."""
        return self._read(None if self.items is None else self.items.load(self.id_type))

    @abc.abstractmethod
    def _read(self, items: Items | None) -> Interactions:
        """Returns the interactions with their catalogue."""
