"""Indexes that find the candidates with the largest scores."""

from recs.layers.factorized_top_k import BruteForce, ScaNN, Streaming, TopK

__all__ = ["BruteForce", "ScaNN", "Streaming", "TopK"]
