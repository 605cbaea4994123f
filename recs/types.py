"""Types of arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# What a layer takes for an activation: its name, or a function of a tensor.
Activation = Callable[[Any], Any] | str
