"""Experimental models."""

from recs.compat.tfrs.experimental.models import ranking
from recs.experimental.models import Ranking

__all__ = ["Ranking", "ranking"]
