"""Layers and scorers for lists of items."""

from recs.layers.ranking.bilinear import Bilinear
from recs.layers.ranking.concat_features import ConcatFeatures
from recs.layers.ranking.dasalc_scorer import DASALCScorer
from recs.layers.ranking.document_interaction_attention import DocumentInteractionAttention
from recs.layers.ranking.factorization_scorer import FactorizationScorer
from recs.layers.ranking.flatten_list import FlattenList
from recs.layers.ranking.gam_layer import GAMLayer
from recs.layers.ranking.groupwise_scoring import GroupwiseScoring
from recs.layers.ranking.max_norm import MaxNorm
from recs.layers.ranking.position_bias import PositionBias
from recs.layers.ranking.quantile_steps import QuantileSteps
from recs.layers.ranking.rank_in_list import RankInList
from recs.layers.ranking.restore_list import RestoreList
from recs.layers.ranking.tower import create_tower

__all__ = [
    "Bilinear",
    "ConcatFeatures",
    "DASALCScorer",
    "DocumentInteractionAttention",
    "FactorizationScorer",
    "FlattenList",
    "GAMLayer",
    "GroupwiseScoring",
    "MaxNorm",
    "PositionBias",
    "QuantileSteps",
    "RankInList",
    "RestoreList",
    "create_tower",
]
