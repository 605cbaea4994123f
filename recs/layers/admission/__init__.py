"""Admission policies: the `admission` argument of `DynamicEmbedding`."""

from recs.layers.admission.counting_bloom_filter import CountingBloomFilter
from recs.layers.admission.minimum_count import MinimumCount
from recs.layers.admission.probability import Probability

__all__ = ["CountingBloomFilter", "MinimumCount", "Probability"]
