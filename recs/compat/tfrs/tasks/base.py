"""The base class of tasks."""

from recs.tasks import Task

__all__ = ["Task"]
