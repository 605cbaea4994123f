"""The pointwise ranking task."""

from recs.tasks import Ranking

__all__ = ["Ranking"]
