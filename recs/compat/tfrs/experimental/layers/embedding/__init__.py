"""Embeddings partly on TPUs, which recs does not have."""

from recs.compat.omitted import omitted
from recs.compat.tfrs.experimental.layers.embedding import partial_tpu_embedding

__all__ = ["partial_tpu_embedding"]

__getattr__ = omitted(
    "recs.compat.tfrs.experimental.layers.embedding",
    {"PartialTPUEmbedding": "Use `recs.layers.EmbeddingCollection`; recs has no kernels for TPUs."},
)
