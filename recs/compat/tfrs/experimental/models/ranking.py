"""The DLRM and DCN ranking model."""

from recs.experimental.models import Ranking

__all__ = ["Ranking"]
