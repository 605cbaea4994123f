"""Evaluation over the whole catalogue, and baselines."""

from recs.evaluation.area_under_curve import area_under_curve
from recs.evaluation.held_out import HeldOut
from recs.evaluation.item_baselines import item_baselines
from recs.evaluation.per_domain import per_domain
from recs.evaluation.per_list_ndcg import per_list_ndcg
from recs.evaluation.popularity import popularity_vectors
from recs.evaluation.rating_baselines import rating_baselines
from recs.evaluation.scores import Figures
from recs.evaluation.top_k import evaluate_top_k, recommend_top_k

__all__ = [
    "Figures",
    "HeldOut",
    "area_under_curve",
    "evaluate_top_k",
    "item_baselines",
    "per_domain",
    "per_list_ndcg",
    "popularity_vectors",
    "rating_baselines",
    "recommend_top_k",
]
