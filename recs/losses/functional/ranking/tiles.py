"""Sums over all pairs of items of each list, tile by tile, in bounded memory.

A list of n items has n^2 pairs. They are taken in tiles: the first half of the list against the
second half, then within each half the first quarter against the second, and so on `halvings`
times; what is left is the blocks on the diagonal. When one order of a pair is enough, as it is when
the items are sorted and only the higher counts against the lower, this visits little more than
half of the pairs, in a few large operations. Lists go through in groups, so that no tile has more
than `LARGEST` elements unless a single list does.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from keras import ops

# Elements of a tile. Few enough for its temporaries to stay in the cache, many enough for the cost
# of an operation to vanish.
LARGEST = 2**20
# Below this list size a single tile is faster.
SMALLEST_TO_HALVE = 24

Tile = Callable[[Any, Any, bool], list[tuple[Any, Any]]]


def halvings(size: Any, most: int = 3) -> int:
    """Returns how often to halve lists of this size, which may be unknown while tracing."""
    return 0 if isinstance(size, int) and size < SMALLEST_TO_HALVE else most


def sums(tile: Tile, terms: dict[str, Any], padding: dict[str, float], times: int) -> list[Any]:
    """Returns sums over pairs for each item, as many as `tile` gives.

    Args:
        tile: Called as `tile(first, second, diagonal)` with namespaces of the terms, of shapes
            `(..., rows, 1)` and `(..., 1, columns)`. Returns pairs of arrays `(..., rows)` and
            `(..., columns)`, to be added to the first and to the second items; None for nothing.
            On the diagonal first and second are the same items, and every pair comes twice.
        terms: Arrays `(batch, list)` by name.
        padding: The value of a term in the places that round the list size up; 0 where missing.
        times: How often to halve.
    """
    batch, size = ops.shape(next(iter(terms.values())))
    blocks = 2**times
    width = _round_up(size, blocks)
    side = min(2, blocks)
    per_group = _at_least_one(LARGEST * side * side // _at_least_one(width * width))
    groups = _at_least_one(_round_up(batch, per_group) // per_group)
    group = _at_least_one(_round_up(batch, groups) // groups)
    extra = ((0, groups * group - batch), (0, width - size))
    padded = {
        name: ops.pad(x, extra, constant_values=padding.get(name, 0.0)) for name, x in terms.items()
    }
    if isinstance(groups, int) and groups == 1:
        found = _of_group(tile, padded, width, times)
    else:
        grouped = {name: ops.reshape(x, (groups, group, width)) for name, x in padded.items()}
        found = ops.map(lambda some: tuple(_of_group(tile, some, width, times)), grouped)
    return [ops.reshape(x, (-1, width))[:batch, :size] for x in found]


def rounded(size: Any, times: int) -> Any:
    """Returns the size to which lists are rounded up, float32."""
    return ops.cast(_round_up(size, 2**times), "float32")


def _of_group(tile: Tile, terms: dict[str, Any], width: Any, times: int) -> list[Any]:
    """Returns the sums of one group of lists, `(group, width)` each."""
    totals: list[Any] = []
    for level in range(times):
        half = width // 2 ** (level + 1)
        halves = {n: ops.reshape(x, (-1, 2**level, 2, half)) for n, x in terms.items()}
        first = types.SimpleNamespace(**{n: x[:, :, 0, :, None] for n, x in halves.items()})
        second = types.SimpleNamespace(**{n: x[:, :, 1, None, :] for n, x in halves.items()})
        parts = [_both(*part) for part in tile(first, second, False)]
        _add(totals, [ops.reshape(x, (-1, width)) for x in parts])
    block = {n: ops.reshape(x, (-1, 2**times, width // 2**times)) for n, x in terms.items()}
    first = types.SimpleNamespace(**{n: x[..., :, None] for n, x in block.items()})
    second = types.SimpleNamespace(**{n: x[..., None, :] for n, x in block.items()})
    parts = [_sum(*part) for part in tile(first, second, True)]
    _add(totals, [ops.reshape(x, (-1, width)) for x in parts])
    return totals


def _both(rows: Any, columns: Any) -> Any:
    rows = ops.zeros_like(columns) if rows is None else rows
    columns = ops.zeros_like(rows) if columns is None else columns
    return ops.stack([rows, columns], axis=2)


def _sum(rows: Any, columns: Any) -> Any:
    if rows is None or columns is None:
        return columns if rows is None else rows
    return rows + columns


def _add(totals: list[Any], parts: list[Any]) -> None:
    if not totals:
        totals.extend(parts)
    else:
        totals[:] = [a + b for a, b in zip(totals, parts, strict=True)]


def _round_up(n: Any, multiple: Any) -> Any:
    return -(-n // multiple) * multiple


def _at_least_one(n: Any) -> Any:
    return max(1, n) if isinstance(n, int) else ops.maximum(n, 1)
