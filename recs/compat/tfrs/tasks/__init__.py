"""Tasks: a loss and its metrics."""

from recs.compat.tfrs.tasks import base, ranking, retrieval
from recs.tasks import Ranking, Retrieval, Task

__all__ = ["Ranking", "Retrieval", "Task", "base", "ranking", "retrieval"]
