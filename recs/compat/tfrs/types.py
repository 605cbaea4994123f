"""Types of arguments."""

from recs.types import Activation

__all__ = ["Activation"]
