"""Rows from Parquet, read while they are set."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from recs.errors import explain
from recs.warm_start.ids import as_ids, check_distinct, type_of
from recs.warm_start.row_batches import RowBatches
from recs.warm_start.rows import BATCH, Rows
from recs.warm_start.wrong import wrong


def from_parquet(
    path: str | os.PathLike[str],
    id_column: str = "id",
    columns: str | Sequence[str] = "row",
    batch_size: int = BATCH,
) -> RowBatches:
    """Returns the rows in a Parquet file, or in a folder of them, to be read in batches.

    The ids are read at once, to see that they differ; of the rows a batch is in memory at a time.
    Without further arguments it reads what `to_parquet` writes, bit for bit.

    Args:
        path: The file; or a folder, of which all `*.parquet` files are read in order of their
            names.
        id_column: The column of ids, integers or strings. Defaults to `"id"`.
        columns: The column of rows, lists of floats of one length; or the names of several columns
            of floats, one for each number of a row. Defaults to `"row"`.
        batch_size: Rows that are read at a time. Defaults to 65,536.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not Parquet, a column is missing or of another type, an id is null or
            comes twice. While batches are read: a row is null, not finite or of another length.

    Example:
    ```python
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> table = pa.table({"item": ["a", "b"], "x": [1.0, 2.0], "y": [3.0, 4.0]})
    >>> pq.write_table(table, "items.parquet")
    >>> layer = recs.layers.DynamicEmbedding(2, key_dtype="string")
    >>> recs.warm_start.from_parquet("items.parquet", "item", ["x", "y"]).into(layer)
    Filled(new=2, known=0, evicted=0)
    >>> layer.table.lookup(["b"]).tolist()
    [[2.0, 4.0]]

    ```
    """
    where = os.fspath(path)
    files = _files(pathlib.Path(path), where)
    names = [columns] if isinstance(columns, str) else list(columns)
    for file in files:
        _check_columns(file, id_column, names, isinstance(columns, str))
    parts = [
        _ids(batch.column(0), id_column, str(file))
        for file in files
        for batch in _batches(file, [id_column], BATCH)
    ]
    ids = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    check_distinct(ids, where=where)
    dim = _list_length(files, columns) if isinstance(columns, str) else len(names)
    read = partial(_read, files, id_column, columns, dim, batch_size)
    return RowBatches(read, len(ids), type_of(ids), dim, where)


def _files(path: pathlib.Path, where: str) -> list[pathlib.Path]:
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise FileNotFoundError(
            explain(
                "`path`",
                rule="must be a Parquet file that exists, or a folder of them",
                received=where,
                where="from_parquet",
                remedy=f"The working directory is {pathlib.Path.cwd()}.",
            )
        )
    return files


def _batches(file: pathlib.Path, names: list[str], size: int) -> Iterator[Any]:
    from pyarrow import parquet

    with parquet.ParquetFile(file) as opened:
        for batch in opened.iter_batches(size, columns=names, use_threads=False):
            yield batch.select(names)


def _read(
    files: list[pathlib.Path], id_column: str, columns: str | Sequence[str], dim: int, size: int
) -> Iterator[Rows]:
    names = [columns] if isinstance(columns, str) else list(columns)
    for file in files:
        for batch in _batches(file, [id_column, *names], size):
            ids = _ids(batch.column(0), id_column, str(file))
            if isinstance(columns, str):
                rows = _list_rows(batch.column(1), columns, dim, str(file))
            else:
                blocks = [_numbers(batch.column(c + 1), n, str(file)) for c, n in enumerate(names)]
                rows = np.stack(blocks, axis=1)
            yield Rows(ids, rows, str(file))


def _check_columns(
    file: pathlib.Path, id_column: str, names: list[str], is_list_column: bool
) -> None:
    """Raises a ValueError unless the file has the columns, and rows are floats."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        schema = parquet.read_schema(file)
    except pa.ArrowInvalid as error:
        received = str(error).rstrip(".")
        raise wrong("The file", "must be well-formed Parquet", received, str(file)) from error
    for name in (id_column, *names):
        if schema.names.count(name) != 1:
            rule = f"must be one of the file's: {', '.join(schema.names)}"
            raise wrong("A column", rule, repr(name), str(file))
    for name in names:
        kind = value = schema.field(name).type
        if is_list_column:
            nested = pa.types.is_list(kind) or pa.types.is_large_list(kind)
            value = kind.value_type if nested or pa.types.is_fixed_size_list(kind) else pa.null()
        if not pa.types.is_floating(value):
            wanted = "lists of floats" if is_list_column else "floats"
            remedy = "Name a column for each number: `columns=[...]`." if is_list_column else ""
            raise wrong(f"Column {name!r}", f"must hold {wanted}", f"{kind}", str(file), remedy)


def _ids(column: Any, name: str, where: str) -> np.ndarray:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.null_count:
        rule = "must hold an id in every row"
        raise wrong(f"Column {name!r}", rule, f"{column.null_count} nulls", where)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    return as_ids(column.to_numpy(zero_copy_only=False), where=f"column {name!r} of {where}")


def _numbers(column: Any, name: str, where: str) -> np.ndarray:
    if column.null_count:
        rule = "must hold a number in every row"
        raise wrong(f"Column {name!r}", rule, f"{column.null_count} nulls", where)
    return column.to_numpy(zero_copy_only=False)


def _list_length(files: list[pathlib.Path], name: str) -> int:
    """Returns the length of the first list, or of the type."""
    from pyarrow import parquet

    for file in files:
        kind = parquet.read_schema(file).field(name).type
        if hasattr(kind, "list_size"):
            return int(kind.list_size)
        for batch in _batches(file, [name], 1):
            return len(batch.column(0)[0].as_py() or ())
    return 1


def _list_rows(column: Any, name: str, dim: int, where: str) -> np.ndarray:
    import pyarrow.compute as pc

    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    if column.null_count or not (lengths == dim).all():
        other = "null" if column.null_count else f"{int(lengths[lengths != dim][0])} numbers"
        raise wrong(f"Column {name!r}", f"must hold {dim} numbers in every row", other, where)
    values = pc.list_flatten(column)
    return _numbers(values, name, where).reshape(-1, dim)
