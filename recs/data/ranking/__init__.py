"""Lists to rank: one description of their features, readers, and batches with a mask."""

from recs.data.ranking.parse import parse
from recs.data.ranking.ranking_feature import RankingFeature
from recs.data.ranking.ranking_features import RankingFeatures
from recs.data.ranking.ranking_lists import RankingLists
from recs.data.ranking.read_libsvm import read_libsvm
from recs.data.ranking.read_parquet import read_parquet
from recs.data.ranking.read_records import read_records

__all__ = [
    "RankingFeature",
    "RankingFeatures",
    "RankingLists",
    "parse",
    "read_libsvm",
    "read_parquet",
    "read_records",
]
