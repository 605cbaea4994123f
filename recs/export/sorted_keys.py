"""Finds ids in a fixed list, with TensorFlow's own ops."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

HASHES = 2**63 - 1  # what fits into the attribute of the op that hashes
ATTEMPTS = 64


class SortedKeys(tf.Module):
    """A fixed set of ids that is searched by bisection.

    Integers are sorted and compared as they are. Strings are sorted by a 63-bit hash, which no two
    of them share, and then compared byte for byte: an unknown string whose hash happens to be that
    of a known one is still unknown.

    Args:
        keys: `(n,)` distinct ids: int64, or an object array of bytes.
        hashes: How many hashes there are. Defaults to all of 63 bits; a test takes fewer.
    """

    def __init__(self, keys: np.ndarray, hashes: int = HASHES) -> None:
        super().__init__(name="keys")
        self.size = len(keys)
        self._hashes = hashes
        self._salt = (0, 0)
        is_string = keys.dtype.kind not in "iu"
        codes = self._distinct_codes(keys) if is_string else keys.astype(np.int64)
        #: `keys[order]` is how values that belong to the keys are to be stored.
        self.order = np.argsort(codes, kind="stable")
        # The last code ends every search, so that none leaves the list; it stands for no key.
        self._codes = _variable(np.append(codes[self.order], np.iinfo(np.int64).max))
        self._strings = None
        if is_string:
            padded = np.empty(self.size + 1, object)
            padded[: self.size] = keys[self.order]
            padded[self.size] = b""
            self._strings = _variable(padded)

    def find(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the place of each id, int64, and whether it is known; both `(m,)`.

        Values are to be stored in `order`, with one more behind them: an unknown id gets the place
        behind the last key, or that of another key.
        """
        codes = ids if self._strings is None else self._code(ids)
        place = tf.searchsorted(self._codes, codes, out_type=tf.int64)
        stored = self._codes if self._strings is None else self._strings
        return place, tf.logical_and(place < self.size, tf.equal(tf.gather(stored, place), ids))

    def _code(self, strings: Any) -> tf.Tensor:
        return tf.strings.to_hash_bucket_strong(strings, self._hashes, key=list(self._salt))

    def _distinct_codes(self, keys: np.ndarray) -> np.ndarray:
        """Returns hashes of strings after drawing a salt that keeps them apart."""
        strings = tf.constant(keys, tf.string, shape=[len(keys)])
        for attempt in range(ATTEMPTS):
            # The same for every export of the same keys: exports are to be repeatable.
            salt = np.random.default_rng(attempt).integers(0, HASHES, 2)
            self._salt = (int(salt[0]), int(salt[1]))
            codes = self._code(strings).numpy()
            if len(np.unique(codes)) == len(codes):
                return codes
        # At 63 bits, ten billion strings collide in one draw with odds of five to one, never in 64.
        raise AssertionError("no salt keeps the strings apart, so some of them must be equal")


def _variable(value: Any) -> tf.Variable:
    return tf.Variable(value, trainable=False)
