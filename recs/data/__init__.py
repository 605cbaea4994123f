"""Interactions of users with items: MovieLens, your own files, and how to split them."""

from recs.data import adult, lightgbm_rank, movielens, ranking, sequences, splits
from recs.data.by_user import by_user
from recs.data.domain_batches import domain_batches
from recs.data.interactions import Interactions
from recs.data.items import Items
from recs.data.ragged_column import RaggedColumn
from recs.data.read_csv import read_csv
from recs.data.read_items import read_items
from recs.data.read_parquet import read_parquet
from recs.data.read_user_items import read_user_items
from recs.data.samples import Samples
from recs.data.splits import Split
from recs.data.stack_domains import stack_domains
from recs.data.stream_parquet import stream_parquet
from recs.data.stream_tfrecord import stream_tfrecord
from recs.data.window_column import WindowColumn

__all__ = [
    "Interactions",
    "Items",
    "RaggedColumn",
    "Samples",
    "Split",
    "WindowColumn",
    "adult",
    "by_user",
    "domain_batches",
    "lightgbm_rank",
    "movielens",
    "ranking",
    "read_csv",
    "read_items",
    "read_parquet",
    "read_user_items",
    "sequences",
    "splits",
    "stack_domains",
    "stream_parquet",
    "stream_tfrecord",
]
