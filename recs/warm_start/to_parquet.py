"""A table's ids, rows and slots out to Parquet."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from recs.files.workspace import replacing
from recs.ops.records import Records
from recs.ops.table import Table
from recs.warm_start.target import table_of

ROW_GROUP = 65_536  # ids


def to_parquet(table: Any, path: str | os.PathLike[str], slots: bool = False) -> None:
    """Writes what a table holds to a Parquet file, for `from_parquet` and whatever reads Parquet.

    The columns:

    - `id`: int64 or string (binary, where an id is no UTF-8);
    - `count`, `last_step`, `last_time`: as `table.records` has them; a time is UTC, null if never;
    - `row`: a list of `dim` float32;
    - with `slots`, each under its optimizer's name for it, such as `accumulator`: a list as well,
      or a number where a row has one.

    Row groups of 65,536 ids are written one after the other, beside `path`; the file takes its name
    when it is complete. Ids and their metadata are in memory at once, some 40 bytes an id and the
    bytes of a string; rows a group at a time. They are looked up for that, which `table.stats()`
    counts. If training goes on meanwhile, a row is of the moment in which its group was written,
    and ids that are gone by then are left out. With `slots` all is in memory at once, and from one
    moment.

    Args:
        table: A `DynamicEmbedding`, its `table`, or a table of an `EmbeddingCollection`.
        path: The file. One that is there is replaced.
        slots: Whether to write the optimizer's slots. Nothing reads them back: a state to go on
            training from is what `table.save` writes. Defaults to `False`.

    Raises:
        ValueError: it is no such table.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(2, embeddings_initializer="ones")
    >>> _ = layer(np.array([7, 7]), training=True)
    >>> recs.warm_start.to_parquet(layer, "rows.parquet")
    >>> import pandas as pd
    >>> found = pd.read_parquet("rows.parquet")
    >>> found[["id", "count"]].values.tolist(), found["row"][0].tolist()
    ([[7, 2]], [1.0, 1.0])

    ```
    """
    from pyarrow import parquet

    found = table_of(table, where="to_parquet")
    records = found.records(rows=slots, slots=slots)
    schema = _schema(found, records)
    with replacing(path) as beside, parquet.ParquetWriter(beside, schema) as writer:
        for start in range(0, len(records.keys), ROW_GROUP):
            writer.write_table(_group(found, records, start, schema))


def _schema(table: Table, records: Records) -> Any:
    import pyarrow as pa

    floats = pa.list_(pa.float32(), table.dim)
    fields = {
        "id": _id_type(records.keys),
        "count": pa.int64(),
        "last_step": pa.int64(),
        "last_time": pa.timestamp("ms", "UTC"),
        "row": floats,
    }
    for name, slot in (records.slots or {}).items():
        fields[name] = floats if slot.ndim == 2 else pa.from_numpy_dtype(slot.dtype)
    return pa.schema([pa.field(name, kind) for name, kind in fields.items()])


def _id_type(keys: np.ndarray) -> Any:
    import pyarrow as pa

    if keys.dtype != object:
        return pa.int64()
    try:
        for key in keys:
            key.decode()
    except UnicodeDecodeError:
        return pa.binary()
    return pa.string()


def _group(table: Table, records: Records, start: int, schema: Any) -> Any:
    """Returns a row group as a `pyarrow.Table`."""
    import pyarrow as pa

    part = slice(start, start + ROW_GROUP)
    keys, metadata = records.keys[part], records.metadata
    if records.rows is None:
        found, present = (x.numpy() for x in table.find(tf.convert_to_tensor(keys)))
    else:
        found, present = records.rows[part], np.ones(len(keys), bool)
    times = metadata.last_time[part][present]
    values = {
        "id": keys[present],
        "count": metadata.count[part][present],
        "last_step": metadata.last_step[part][present],
        "last_time": times.astype("datetime64[ms]"),
        "row": found[present],
        **{name: slot[part] for name, slot in (records.slots or {}).items()},
    }
    columns = [_column(values[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(values: np.ndarray, kind: Any) -> Any:
    import pyarrow as pa

    if values.ndim == 2:
        flat = pa.array(np.ascontiguousarray(values).reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, type=kind)
    if values.dtype == object:
        return pa.array(values, pa.binary()).cast(kind)
    return pa.array(values, type=kind)
