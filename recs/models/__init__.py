"""Models."""

from recs.models.base import Model
from recs.models.cross_domain import CrossDomain
from recs.models.light_gcn import LightGCN
from recs.models.meta_learner import MetaLearner
from recs.models.multi_task_model import MultiTaskModel
from recs.models.ranker import Ranker
from recs.models.rating import RatingModel
from recs.models.recommendations import Recommendations
from recs.models.sequence_tower import SequenceTower
from recs.models.sequential_retrieval import SequentialRetrieval
from recs.models.tower import Tower
from recs.models.two_tower import TwoTower

__all__ = [
    "CrossDomain",
    "LightGCN",
    "MetaLearner",
    "Model",
    "MultiTaskModel",
    "Ranker",
    "RatingModel",
    "Recommendations",
    "SequenceTower",
    "SequentialRetrieval",
    "Tower",
    "TwoTower",
]
