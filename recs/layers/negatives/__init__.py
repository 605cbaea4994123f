"""Where the negatives of a retrieval task come from; several kinds may be mixed."""

from recs.layers.negatives.in_batch import InBatch
from recs.layers.negatives.memory import Memory
from recs.layers.negatives.negatives import Negatives
from recs.layers.negatives.popular import Popular
from recs.layers.negatives.uniform import Uniform

__all__ = ["InBatch", "Memory", "Negatives", "Popular", "Uniform"]
