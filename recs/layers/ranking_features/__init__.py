"""From the features of lists to the vectors that scorers take."""

from recs.layers.ranking_features.list_inputs import list_inputs
from recs.layers.ranking_features.ranking_inputs import RankingInputs

__all__ = ["RankingInputs", "list_inputs"]
