"""Features that share one table, which recs has no class for."""

from recs.compat.omitted import omitted

_REMEDY = (
    "Give several features of a `recs.layers.EmbeddingCollection` one `TableConfig`; its table "
    "grows with the ids of all of them."
)

__getattr__ = omitted(
    "recs.compat.tfrs.layers.feature_multiplexing",
    {"UnifiedEmbedding": _REMEDY, "UnifiedEmbeddingConfig": _REMEDY},
)
