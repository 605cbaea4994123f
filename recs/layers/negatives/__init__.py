"""Sources of negatives for a retrieval task; several can be combined."""

from recs.layers.negatives.in_batch import InBatch
from recs.layers.negatives.memory import Memory
from recs.layers.negatives.negatives import Negatives
from recs.layers.negatives.popular import Popular
from recs.layers.negatives.uniform import Uniform

__all__ = ["InBatch", "Memory", "Negatives", "Popular", "Uniform"]
