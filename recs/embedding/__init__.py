"""The look-ups of `tf.nn`, and of TFRA, on the table of a `DynamicEmbedding`."""

from recs.embedding.embedding_lookup import embedding_lookup
from recs.embedding.embedding_lookup_sparse import embedding_lookup_sparse
from recs.embedding.embedding_lookup_unique import embedding_lookup_unique
from recs.embedding.safe_embedding_lookup_sparse import safe_embedding_lookup_sparse

__all__ = [
    "embedding_lookup",
    "embedding_lookup_sparse",
    "embedding_lookup_unique",
    "safe_embedding_lookup_sparse",
]
