"""The hash of a key, as `recs/ops/cc/table/hash.h` defines it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_WORD = (1 << 64) - 1


def mix(words: np.ndarray) -> np.ndarray:
    """Returns a bijection of 64-bit words in which every bit of a word reaches every other.

    Args:
        words: uint64, any shape but a scalar (NumPy warns when a scalar wraps around).
    """
    x = words ^ (words >> np.uint64(32))
    x = x * np.uint64(0x9E6C63D0876A3F6B)
    x = x ^ (x >> np.uint64(29))
    x = x * np.uint64(0xD6E8FEB86659FD93)
    return x ^ (x >> np.uint64(32))


def hash_bytes(data: bytes) -> int:
    """Returns the hash of a string: eight bytes at a time, little-endian, and the length."""
    state = _mix(0x632BE59BD9B4E019 + len(data))
    whole = len(data) // 8 * 8
    for at in range(0, whole, 8):
        state = _mix(state ^ int.from_bytes(data[at : at + 8], "little"))
    return _mix(state ^ int.from_bytes(data[whole:], "little") ^ 0x2545F4914F6CDD1D)


def hash_keys(keys: Sequence[int | bytes]) -> np.ndarray:
    """Returns the hashes of int64 or string keys, uint64 of shape `(n,)`."""
    if len(keys) > 0 and isinstance(keys[0], bytes):
        return np.array([hash_bytes(key) for key in keys], np.uint64)  # type: ignore[arg-type]
    return mix(np.asarray(keys, np.int64).view(np.uint64))


def _mix(word: int) -> int:
    return int(mix(np.array([word & _WORD], np.uint64))[0])
