"""Base class of an experiment's data sources."""

from __future__ import annotations

import abc
from typing import Any


class Source(abc.ABC):
    """A description of data, which reads it when asked: what a configuration can name.

    Example:
    ```python
    >>> from recs.experiments import MovieLens
    >>> len(MovieLens().load())
    100836

    ```
    """

    @abc.abstractmethod
    def load(self) -> Any:
        """Returns the interactions, or what the splitter and the evaluation of its kind take."""
