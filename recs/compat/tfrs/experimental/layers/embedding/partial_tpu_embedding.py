"""Embeddings partly on TPUs, which recs does not have."""

from recs.compat.omitted import omitted

__getattr__ = omitted(
    "recs.compat.tfrs.experimental.layers.embedding.partial_tpu_embedding",
    {"PartialTPUEmbedding": "Use `recs.layers.EmbeddingCollection`; recs has no kernels for TPUs."},
)
