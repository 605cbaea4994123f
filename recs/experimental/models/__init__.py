"""Models that TFRS has as experimental."""

from recs.experimental.models.ranking import Ranking

__all__ = ["Ranking"]
