"""The error of a wrong value, in four parts."""

from __future__ import annotations

from recs.errors import explain


def wrong(what: str, rule: str, received: str, where: str, remedy: str = "") -> ValueError:
    """Returns the error, with the parts of `recs.errors.explain`."""
    return ValueError(explain(what, rule=rule, received=received, where=where, remedy=remedy))
