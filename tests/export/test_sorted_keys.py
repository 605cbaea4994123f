"""Every stored id is found where it stands, and no other."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.export.sorted_keys import SortedKeys

LOWEST, GREATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def texts(*values):
    made = np.empty(len(values), object)
    made[:] = values
    return made


def places(keys, ids, **arguments):
    found = SortedKeys(keys, **arguments)
    place, known = found.find(tf.constant(ids))
    order = np.append(found.order, -1)
    return [int(order[p]) if k else None for p, k in zip(place.numpy(), known.numpy(), strict=True)]


def test_integers_of_the_whole_range(rng):
    keys = np.append(
        rng.permutation(rng.integers(-(2**62), 2**62, 1000)), [LOWEST, GREATEST, 0, -1]
    )
    assert places(keys, keys) == list(range(len(keys)))
    strangers = rng.integers(-(2**62), 2**62, 1000)
    assert places(keys, strangers) == [None] * 1000


def test_the_greatest_integer_is_unknown_unless_it_is_stored():
    assert places(np.array([5, 3]), np.array([GREATEST, LOWEST, 3])) == [None, None, 1]
    assert places(np.array([], np.int64), np.array([GREATEST, 0])) == [None, None]


def test_strings_are_compared_whole():
    keys = texts(b"", b"a", b"a\x00", b"\xff\xfe", b"x" * 1000)
    ids = texts(*keys, b"a\x00b", b"A", b"x" * 999)
    assert places(keys, ids) == [0, 1, 2, 3, 4, None, None, None]
    assert places(keys[1:2], texts(b"")) == [None]
    assert places(keys[:0], texts(b"", b"a")) == [None, None]


def test_an_unknown_string_with_the_hash_of_a_known_one_is_unknown():
    keys = texts(b"a", b"b", b"c")
    ids = texts(*keys, *[str(i).encode() for i in range(200)])
    # Of eight hashes: a salt must be drawn that keeps three keys apart, and strangers collide.
    assert places(keys, ids, hashes=8) == [0, 1, 2] + [None] * 200


def test_equal_strings_cannot_be_kept_apart():
    with pytest.raises(AssertionError, match="some of them must be equal"):
        SortedKeys(texts(b"a", b"a"))


def test_the_same_keys_give_the_same_variables():
    keys = texts(*[str(i).encode() for i in range(100)])
    for a, b in zip(SortedKeys(keys).variables, SortedKeys(keys).variables, strict=True):
        np.testing.assert_array_equal(a, b)
