"""Summary of a model's tables, beside Keras's summary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from recs.layers.resource_layer import layers_with_resources
from recs.layers.table_layer import TableLayer
from recs.optimizers.followed_optimizer import updating

HEADERS = (
    *("table", "ids", "dim", "storage", "optimizer"),
    *("rows", "parameters", "memory", "hit rate"),
)
LEFT = 5  # columns of words; those of numbers are set to the right
SHORTEST_NAME = 8


def table_summary(
    model: keras.layers.Layer,
    print_fn: Callable[[str], Any] | None = None,
    line_length: int | None = None,
) -> None:
    """Prints the tables of a model, of embeddings and of recent records, one a line.

    Beside `model.summary()`, which knows of every layer with tables only the one parameter that
    ties it to the optimizer, its anchor. A `recs.Model` prints both in its `summary`.

    Of each table: its name, the dtype of ids, length and storage of rows, the optimizer that
    updates them, how many rows there are, how many numbers these hold, the memory in use (with
    optimizer slots, index and string ids), and how many ids had a row when looked up outside
    training (`-` before the first). A table of recent records has `capacity x width` as its
    length, and neither optimizer nor parameters nor a hit rate.

    Args:
        model: A Keras model or layer; tables of nested layers are found.
        print_fn: Is called once, with the whole text. Defaults to `print`.
        line_length: Names are cut to fit this many characters, to eight at the shortest. Defaults
            to `None`: names are whole.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(4, name="users", optimizer="adam")
    >>> layer.table.upsert([1, 2, 3], np.ones((3, 4)))
    >>> recs.layers.table_summary(layer)
    Embedding tables
      table  ids    dim  storage  optimizer  rows  parameters  memory  hit rate
      users  int64  4    float32  Adam          3          12  8.1 KB         -
    Rows: 12 parameters in 3 rows so far. Keras counts 1 for each layer with tables, its anchor.

    ```
    """
    print_fn = print_fn or print
    layers = layers_with_resources(model)
    if not layers:
        print_fn("No embedding tables.")
        return
    embeddings = [
        (table, table.stats(), followed)
        for layer in layers
        if isinstance(layer, TableLayer)
        for table, followed in zip(layer.tables, layer._followed, strict=True)
    ]
    records = [t for layer in layers if not isinstance(layer, TableLayer) for t in layer.tables]
    cells = [*(_cells(*entry) for entry in embeddings), *map(_cells_of_records, records)]
    title = "Embedding tables" if not records else "Tables"
    text = [title, *_aligned([HEADERS, *cells], line_length)]
    if embeddings:
        rows = sum(stats["rows"] for _, stats, _ in embeddings)
        parameters = sum(stats["rows"] * table.dim for table, stats, _ in embeddings)
        text.append(
            f"Rows: {parameters:,} parameters in {rows:,} rows so far. Keras counts 1 for each "
            "layer with tables, its anchor."
        )
    print_fn("\n".join(text))


def _cells_of_records(table: Any) -> tuple[str, ...]:
    stats, shape = table.stats(), f"{table.capacity}x{table.width}"
    return (
        *(table.name, table.key_dtype.name, shape, table.storage, "-"),
        *(f"{stats['rows']:,}", "-", _memory(stats["bytes"]), "-"),
    )


def _cells(table: Any, stats: dict[str, Any], followed: Any) -> tuple[str, ...]:
    chosen = followed.own or followed.compiled
    optimizer = "Adagrad" if chosen is None else type(updating(chosen)).__name__
    rate = stats["hit_rate"]
    return (
        *(table.name, table.key_dtype.name, str(table.dim), table.storage, optimizer),
        *(f"{stats['rows']:,}", f"{stats['rows'] * table.dim:,}", _memory(stats["bytes"])),
        "-" if rate is None else f"{rate:.1%}",
    )


def _memory(count: float) -> str:
    """Returns bytes in the units of Keras's summary."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"


def _aligned(lines: list[tuple[str, ...]], line_length: int | None) -> list[str]:
    """Returns the lines with columns below each other, names cut where the length asks for it."""
    widths = [max(len(line[c]) for line in lines) for c in range(len(HEADERS))]
    if line_length is not None:
        excess = sum(widths) + 2 * len(widths) - line_length
        widths[0] = min(widths[0], max(SHORTEST_NAME, widths[0] - excess))
    return [
        "".join(
            "  " + (cell.ljust(width) if c < LEFT else cell.rjust(width))
            for c, (cell, width) in enumerate(
                zip((_cut(line[0], widths[0]), *line[1:]), widths, strict=True)
            )
        ).rstrip()
        for line in lines
    ]


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 3] + "..."
