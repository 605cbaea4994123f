"""Tasks: the outputs of a model in, its loss out, its metrics updated."""

from recs.tasks.base import Task
from recs.tasks.multi_task import MultiTask
from recs.tasks.ranking import Ranking
from recs.tasks.ranking_head import RankingHead
from recs.tasks.retrieval import Retrieval

__all__ = ["MultiTask", "Ranking", "RankingHead", "Retrieval", "Task"]
