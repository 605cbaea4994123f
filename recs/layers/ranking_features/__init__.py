"""The layer between described features and a scorer of lists."""

from recs.layers.ranking_features.ranking_inputs import RankingInputs

__all__ = ["RankingInputs"]
