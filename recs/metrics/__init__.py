"""Metrics, one public class a file."""

from recs.metrics.factorized import Factorized
from recs.metrics.factorized_top_k import FactorizedTopK
from recs.metrics.map_at_k import MAPAtK
from recs.metrics.mrr_at_k import MRRAtK
from recs.metrics.ndcg_at_k import NDCGAtK
from recs.metrics.recall_at_k import RecallAtK
from recs.metrics.top_k_ids import TopKIds

__all__ = [
    "Factorized",
    "FactorizedTopK",
    "MAPAtK",
    "MRRAtK",
    "NDCGAtK",
    "RecallAtK",
    "TopKIds",
]
