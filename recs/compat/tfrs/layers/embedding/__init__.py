"""Embeddings on TPUs, which recs does not have."""

from recs.compat.omitted import omitted
from recs.compat.tfrs.layers.embedding import tpu_embedding_layer

__all__ = ["tpu_embedding_layer"]

__getattr__ = omitted(
    "recs.compat.tfrs.layers.embedding",
    {"TPUEmbedding": "Use `recs.layers.EmbeddingCollection`; recs has no kernels for TPUs."},
)
