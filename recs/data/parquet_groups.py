"""Row groups of Parquet files as flat columns: their kinds, what is wrong with them, their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recs.data.assemble import without_nulls
from recs.errors import explain

if TYPE_CHECKING:
    pass

# Of columns of lists: rows are encoded as bytes, which are cut and mixed as any other column.
LIST = "list of "
_LENGTHS = "\0lengths"  # no name of a column ends so


def layout(
    files: Sequence[str], columns: Sequence[str], nulls: Any
) -> tuple[dict[str, str], list[tuple[str, int, int]], bool]:
    """Returns the columns' kinds, the row groups, and whether rows may be left out.

    A row group is its file, number and rows.

    Raises:
        ValueError: a column is missing or of another kind, files differ, an integer does not fit
            int64, or a value is null that must not be.
    """
    from pyarrow import parquet

    groups: list[tuple[str, int, int]] = []
    kinds: dict[str, str] = {}
    dropped = False
    for file in files:
        with parquet.ParquetFile(file) as opened:
            found = {name: _kind(opened.schema_arrow, name, file) for name in columns}
            metadata = opened.metadata
            counts = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            for group in range(len(counts)):
                dropped |= _has_nulls(opened, group, found, nulls, file)
        if kinds and found != kinds:
            raise _bad("The columns", f"must be of the kinds of {files[0]}: {kinds}", found, file)
        kinds = found
        groups += [(file, i, count) for i, count in enumerate(counts) if count]
    return kinds, groups, dropped


def _kind(schema: Any, name: str, file: str) -> str:
    import pyarrow as pa

    types = pa.types
    if name not in schema.names:
        raise _bad("`columns`", f"must name columns of it: {', '.join(schema.names)}", name, file)
    kind = schema.field(name).type
    prefix = ""
    if types.is_list(kind) or types.is_large_list(kind):
        prefix, kind = LIST, kind.value_type
    kind = kind.value_type if types.is_dictionary(kind) else kind
    for dtype, fits in (
        ("int64", (types.is_integer, types.is_timestamp, types.is_date)),
        ("float32", (types.is_floating,)),
        ("bool", (types.is_boolean,)),
        ("string", (types.is_string, types.is_large_string)),
    ):
        if any(is_one(kind) for is_one in fits):
            return prefix + dtype
    rule = "must hold numbers, booleans, times, strings or lists of them"
    raise _bad(f"Column {name!r}", rule, kind, file)


def _has_nulls(opened: Any, group: int, kinds: dict[str, str], nulls: Any, file: str) -> bool:
    """Checks a row group by the file's own statistics, or by a look where there are none.

    Returns:
        Whether rows are left out.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    metadata = opened.metadata
    leaves = [metadata.schema.column(i).path.split(".")[0] for i in range(metadata.num_columns)]
    drops = False
    for name, kind in kinds.items():
        known = metadata.row_group(group).column(leaves.index(name)).statistics
        type_of = opened.schema_arrow.field(name).type
        type_of = type_of.value_type if kind.startswith(LIST) else type_of
        unsigned = type_of == pa.uint64()
        if (
            known is not None
            and known.has_null_count
            and not known.null_count
            and (not unsigned or (known.has_min_max and known.max < 2**63))
        ):
            continue
        values = opened.read_row_group(group, columns=[name]).column(name)
        if kind.startswith(LIST):
            values = pc.list_flatten(values)
        if unsigned and (largest := pc.max(values).as_py() or 0) >= 2**63:
            received = f"{largest} in row group {group}"
            raise _bad(f"Column {name!r}", "must hold integers that fit int64", received, file)
        fills = not isinstance(nulls, str) or nulls not in ("error", "drop")
        if values.null_count and (kind.startswith(LIST) or (not fills and nulls != "drop")):
            raise _null(name, values.null_count, group, file)
        drops |= bool(values.null_count) and not fills
    return drops


def read_group(file: str, group: int, kinds: dict[str, str], nulls: Any) -> list[np.ndarray]:
    """Returns a row group as `tensors_of` the kinds has it."""
    from pyarrow import parquet

    names = list(kinds)
    with parquet.ParquetFile(file) as opened:
        # The pipeline reads several groups at once; more threads would be in each other's way.
        table = opened.read_row_group(group, columns=names, use_threads=False)
    flat = [name for name, kind in kinds.items() if not kind.startswith(LIST)]
    if isinstance(nulls, dict):
        nulls = {name: value for name, value in nulls.items() if name in flat}
    table = without_nulls(table, flat, nulls, file)
    arrays = []
    for name, kind in kinds.items():
        column = table.column(name)
        if kind.startswith(LIST):
            arrays += _encoded(column, kind.removeprefix(LIST))
        elif column.null_count:
            raise _null(name, column.null_count, group, file)
        else:
            arrays.append(_flat(column, kind))
    return arrays


def tensors_of(kinds: dict[str, str]) -> dict[str, str]:
    """Returns the dtype of each array that `read_group` gives, by name."""
    found = {}
    for name, kind in kinds.items():
        found[name] = "string" if kind.startswith(LIST) else kind
        if kind == LIST + "string":
            found[name + _LENGTHS] = "string"
    return found


def decoded(batch: dict[str, Any], kinds: dict[str, str]) -> dict[str, Any]:
    """Returns a batch with lists as ragged tensors."""
    import tensorflow as tf

    found = {}
    for name, kind in kinds.items():
        if not kind.startswith(LIST):
            found[name] = batch[name]
            continue
        kind = kind.removeprefix(LIST)
        text = tf.strings.reduce_join(batch[name])
        if kind == "string":
            places = batch[name + _LENGTHS]
            sizes = tf.io.decode_raw(tf.strings.reduce_join(places), tf.int32)
            values = tf.strings.substr(text, tf.cumsum(sizes, exclusive=True), sizes)
            counts = tf.strings.length(places) // 4
        else:
            values = tf.io.decode_raw(text, tf.as_dtype(kind))
            counts = tf.strings.length(batch[name]) // np.dtype(kind).itemsize
        splits = tf.concat([[0], tf.cumsum(tf.cast(counts, tf.int64))], axis=0)
        found[name] = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
    return found


def _flat(column: Any, kind: str) -> np.ndarray:
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_timestamp(column.type) or types.is_date(column.type):
        # Like Unix time: whole seconds, the fraction dropped.
        zone = getattr(column.type, "tz", None)
        column = column.cast(pa.timestamp("s", zone), safe=False).cast(pa.int64())
    array = column.to_numpy()
    return array if kind == "string" else array.astype(kind, copy=False)


def _encoded(column: Any, kind: str) -> list[np.ndarray]:
    """Returns each row's values as bytes, and of texts their sizes beside them."""
    import pyarrow.compute as pc

    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    ends = np.cumsum(counts)
    values = _flat(pc.list_flatten(column), kind)
    if kind != "string":
        return [_rows_of(np.ascontiguousarray(values).tobytes(), ends * values.itemsize)]
    texts = [text.encode() for text in values.tolist()]
    sizes = np.array([len(text) for text in texts], np.int32)
    places = np.concatenate([[0], np.cumsum(sizes)])[ends]
    return [_rows_of(b"".join(texts), places), _rows_of(sizes.tobytes(), ends * 4)]


def _rows_of(data: bytes, ends: np.ndarray) -> np.ndarray:
    rows = np.empty(len(ends), object)
    start = 0
    for row, end in enumerate(ends.tolist()):
        rows[row] = data[start:end]
        start = end
    return rows


def _null(name: str, count: int, group: int, file: str) -> ValueError:
    return ValueError(
        explain(
            f"Column {name!r}",
            rule="must hold a value in every row",
            received=f"{count} nulls in row group {group}",
            where=file,
            remedy='`nulls="drop"` leaves such rows out; `nulls=value` fills them. Values within '
            "lists must be there.",
        )
    )


def _bad(what: str, rule: str, received: Any, where: str) -> ValueError:
    return ValueError(explain(what, rule=rule, received=str(received), where=where))
