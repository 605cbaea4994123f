"""The terms under which MovieLens may be used, and the acknowledgement they ask for."""

from __future__ import annotations

import functools
import logging
from importlib import resources

_log = logging.getLogger("recs.data.movielens")


def licence() -> str:
    """Returns the text that GroupLens ships with MovieLens latest-small: licence and citation.

    In short: research use, redistribution under the same conditions, no commercial use without
    permission, and publications acknowledge the data set.

    Example:
    ```python
    >>> from recs.data import movielens
    >>> "Usage License" in movielens.licence()
    True

    ```
    """
    bundled = resources.files("recs.data") / "bundled" / "ml-latest-small-README.txt"
    return bundled.read_text(encoding="utf-8")


@functools.cache
def acknowledge() -> None:
    """Logs one line on the origin and the terms of the data, once a process."""
    # A warning, since Python shows nothing below that by default, and the terms should be seen.
    _log.warning(
        "MovieLens data: GroupLens Research, University of Minnesota (Harper and Konstan 2015, "
        "https://doi.org/10.1145/2827872). Non-commercial use; terms: movielens.licence()."
    )
