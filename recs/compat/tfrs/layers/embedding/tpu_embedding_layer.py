"""Embeddings on TPUs, which recs does not have."""

from recs.compat.omitted import omitted

__getattr__ = omitted(
    "recs.compat.tfrs.layers.embedding.tpu_embedding_layer",
    {"TPUEmbedding": "Use `recs.layers.EmbeddingCollection`; recs has no kernels for TPUs."},
)
