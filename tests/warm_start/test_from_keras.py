"""Rows of Keras embeddings: which row belongs to which id."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import recs
from recs.warm_start import from_keras

WORDS = ["b", "é", "a"]
NUMBERS = [5, -3, 9]


def embedding(rows, dim=4):
    layer = keras.layers.Embedding(rows, dim, embeddings_initializer="normal")
    layer.build()
    return layer


def check(rows, embed, lookup, ids):
    """Compares with what the two layers give, id by id."""
    target = recs.layers.DynamicEmbedding(4, key_dtype=rows.key_dtype)
    assert rows.into(target).new == len(ids)
    np.testing.assert_array_equal(target(np.array(ids)), embed(lookup(np.array(ids))))


@pytest.mark.parametrize("mask", [None, ""])
@pytest.mark.parametrize("oov", [0, 1, 3])
@pytest.mark.parametrize("spare", [0, 2])
def test_string_lookup(mask, oov, spare):
    lookup = keras.layers.StringLookup(vocabulary=WORDS, mask_token=mask, num_oov_indices=oov)
    embed = embedding(lookup.vocabulary_size() + spare)
    rows = from_keras(embed, lookup)
    assert rows.ids.tolist() == [word.encode() for word in WORDS]
    check(rows, embed, lookup, WORDS)


@pytest.mark.parametrize("mask", [None, 0])
@pytest.mark.parametrize("oov", [0, 1, 2])
def test_integer_lookup(mask, oov):
    lookup = keras.layers.IntegerLookup(vocabulary=NUMBERS, mask_token=mask, num_oov_indices=oov)
    embed = embedding(lookup.vocabulary_size())
    check(from_keras(embed, lookup), embed, lookup, NUMBERS)


def test_an_adapted_lookup():
    lookup = keras.layers.StringLookup(mask_token="")
    lookup.adapt(np.array(["x", "y", "y", ""]))
    embed = embedding(lookup.vocabulary_size())
    check(from_keras(embed, lookup), embed, lookup, ["x", "y"])


def test_another_encoding():
    lookup = keras.layers.StringLookup(vocabulary=WORDS, encoding="latin-1")
    embed = embedding(lookup.vocabulary_size())
    check(from_keras(embed, lookup), embed, lookup, WORDS)


@pytest.mark.parametrize("first_row", [None, 0, 1, 2])
@pytest.mark.parametrize("kind", ["list", "array", "file"])
def test_ids_alone(first_row, kind, tmp_path):
    embed = embedding(3 + (first_row or 0))
    vocabulary = np.array(WORDS) if kind == "array" else WORDS
    if kind == "file":
        vocabulary = tmp_path / "words.txt"
        vocabulary.write_text("\n".join(WORDS))
    rows = from_keras(embed, vocabulary, first_row)
    assert rows.ids.tolist() == [word.encode() for word in WORDS]
    np.testing.assert_array_equal(rows.rows, embed.embeddings[first_row or 0 :])


def test_a_file_that_ends_in_a_line_break(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("a\nb\n")
    assert from_keras(np.zeros((2, 1), np.float32), str(path)).ids.tolist() == [b"a", b"b"]


@pytest.mark.parametrize(
    ("vocabulary", "first_row", "message"),
    [
        (WORDS, None, "must have an id for each row. Received: 3 ids from row 0, and 5 rows"),
        (WORDS, 3, "3 ids from row 3, and 5 rows"),
        (WORDS, -1, "3 ids from row -1"),
        (["", "[UNK]", "a", "b", "c"], None, "no tokens for padding.*include_special_tokens=False"),
        (["a", "a"], 0, "`ids` must differ"),
        (keras.layers.StringLookup(vocabulary=WORDS), 1, "`first_row` is for ids alone"),
        (keras.layers.StringLookup(vocabulary=list("abcdef")), None, "6 ids from row 1, and 5"),
    ],
)
def test_what_does_not_fit(vocabulary, first_row, message):
    with pytest.raises(ValueError, match=message):
        from_keras(embedding(5), vocabulary, first_row)


def test_what_has_no_rows(tmp_path):
    with pytest.raises(ValueError, match=r"must be an embedding layer that is built.*Dense"):
        from_keras(keras.layers.Dense(1), WORDS)
    with pytest.raises(
        ValueError, match=r"`embeddings` \(in Embedding 'new'\). Call the layer once"
    ):
        from_keras(keras.layers.Embedding(3, 2, name="new"), WORDS)
    with pytest.raises(FileNotFoundError, match=r"must be a file that exists.*nothing\.txt"):
        from_keras(embedding(3), str(tmp_path / "nothing.txt"))
