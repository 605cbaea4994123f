"""Layers that find the candidates with the highest scores for a query."""

from recs.layers.factorized_top_k.brute_force import BruteForce
from recs.layers.factorized_top_k.ivf import IVF
from recs.layers.factorized_top_k.scann import ScaNN
from recs.layers.factorized_top_k.streaming import Streaming
from recs.layers.factorized_top_k.top_k import TopK

__all__ = ["IVF", "BruteForce", "ScaNN", "Streaming", "TopK"]
