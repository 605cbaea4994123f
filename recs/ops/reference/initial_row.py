"""The initial row of a key: a function of seed, key and initializer, and of nothing else."""

from __future__ import annotations

import math

import numpy as np

from recs.ops.reference.hashing import mix
from recs.ops.row_initializer import CONSTANT, NORMAL, UNIFORM, RowInitializer

_GOLDEN = 0x9E3779B97F4A7C15
_DRAWS = 64  # of a truncated normal, before the last one is clipped


def initial_rows(
    hashes: np.ndarray, dim: int, initializer: RowInitializer, seed: int
) -> np.ndarray:
    """Returns the initial rows of keys with these hashes.

    Each key has a stream of random words of its own, `mix(stream + n * golden)`, where `stream`
    comes from its hash and the seed.

    Args:
        hashes: `(n,)` uint64.
        dim: Length of a row.
        initializer: The distribution.
        seed: Any integer of 64 bits.

    Returns:
        `(n, dim)` float32.
    """
    seeded = mix(np.array([(seed + _GOLDEN) % (1 << 64)], np.uint64))
    streams = mix(hashes ^ seeded)
    a, b = np.float32(initializer.a), np.float32(initializer.b)
    if initializer.kind == CONSTANT:
        return np.full((len(hashes), dim), a)
    if initializer.kind == UNIFORM:
        return _uniform(streams, dim, a, b)
    draw = _normal if initializer.kind == NORMAL else _truncated_normal
    rows = [[float(a) + float(b) * draw(stream, j) for j in range(dim)] for stream in streams]
    return np.array(rows, np.float32).reshape(len(hashes), dim)


def _words(streams: np.ndarray, places: np.ndarray) -> np.ndarray:
    return mix(streams + places * np.uint64(_GOLDEN))


def _uniform(streams: np.ndarray, dim: int, low: np.float32, high: np.float32) -> np.ndarray:
    """Two floats a word, the upper half first; a float in [0, 1) holds 24 bits evenly."""
    words = _words(streams[:, None], np.arange((dim + 1) // 2, dtype=np.uint64)[None, :])
    halves = np.stack([words >> np.uint64(32), words & np.uint64(0xFFFFFFFF)], axis=-1)
    bits = halves.reshape(len(streams), 2 * words.shape[1])[:, :dim] >> np.uint64(8)
    return low + (high - low) * (bits.astype(np.float32) * np.float32(2.0**-24))


def _normal(stream: np.uint64, place: int) -> float:
    """Box and Muller's transform of one word, by the C library's functions as in the engine."""
    word = int(_words(np.array([stream]), np.array([place], np.uint64))[0])
    u = ((word >> 32) + 1.0) * 2.0**-32
    v = (word & 0xFFFFFFFF) * 2.0**-32
    return math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)


def _truncated_normal(stream: np.uint64, place: int) -> float:
    z = 0.0
    for draw in range(_DRAWS):
        z = _normal(stream, place * _DRAWS + draw)
        if abs(z) <= 2.0:
            return z
    return min(max(z, -2.0), 2.0)
