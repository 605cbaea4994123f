"""Eviction policies: the `eviction` argument of `DynamicEmbedding`."""

from recs.layers.eviction.least_frequently_used import LeastFrequentlyUsed
from recs.layers.eviction.least_recently_used import LeastRecentlyUsed
from recs.layers.eviction.minimum_norm import MinimumNorm
from recs.layers.eviction.seconds_to_live import SecondsToLive
from recs.layers.eviction.steps_to_live import StepsToLive

__all__ = [
    "LeastFrequentlyUsed",
    "LeastRecentlyUsed",
    "MinimumNorm",
    "SecondsToLive",
    "StepsToLive",
]
