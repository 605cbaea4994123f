"""Rows from elsewhere into a table, and from a table to Parquet."""

from recs.warm_start.filled import Filled
from recs.warm_start.from_checkpoint import from_checkpoint
from recs.warm_start.from_keras import from_keras
from recs.warm_start.from_numpy import from_numpy
from recs.warm_start.from_parquet import from_parquet
from recs.warm_start.from_table import from_table
from recs.warm_start.from_tfra_files import from_tfra_files
from recs.warm_start.row_batches import RowBatches
from recs.warm_start.rows import Rows
from recs.warm_start.table_info import TableInfo
from recs.warm_start.tables_in import tables_in
from recs.warm_start.to_parquet import to_parquet

__all__ = [
    "Filled",
    "RowBatches",
    "Rows",
    "TableInfo",
    "from_checkpoint",
    "from_keras",
    "from_numpy",
    "from_parquet",
    "from_table",
    "from_tfra_files",
    "tables_in",
    "to_parquet",
]
