"""Which of a test's parameters the default run has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(values: Iterable[Any], *quick: Any) -> list[Any]:
    """Returns a test's parameters, all but the quick ones marked as slow.

    Args:
        values: All parameters, tuples where the test has several names for them.
        *quick: Those of the default run.
    """
    values = list(values)
    missing = [one for one in quick if one not in values]
    assert not missing, f"not among the parameters: {missing}"
    return [one if one in quick else _slow(one) for one in values]


def _slow(value: Any) -> Any:
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, marks=pytest.mark.slow)
