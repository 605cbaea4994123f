"""Dot products by themselves; values and gradients are compared in tests/parity."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.layers.feature_interaction import DotInteraction

FEATURES = np.random.default_rng(1).normal(size=(4, 5, 3)).astype("float32")
PRODUCTS = np.einsum("ibd,jbd->bij", FEATURES, FEATURES)


@pytest.mark.parametrize("itself", [False, True])
def test_every_pair_once(itself):
    pairs = [(i, j) for i in range(4) for j in range(i + itself)]
    expected = np.stack([PRODUCTS[:, i, j] for i, j in pairs], axis=1)
    got = DotInteraction(self_interaction=itself)(list(FEATURES))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("itself", [False, True])
def test_the_matrix_has_zeros_above(itself):
    expected = np.tril(PRODUCTS, 0 if itself else -1).reshape(5, 16)
    layer = DotInteraction(self_interaction=itself, skip_gather=True)
    np.testing.assert_allclose(layer(list(FEATURES)), expected, rtol=1e-5, atol=1e-6)


def test_what_is_left_out_is_zero_whatever_it_is():
    one = np.array([[np.inf, 1.0]], "float32")
    got = DotInteraction(skip_gather=True)([one, np.ones((1, 2), "float32")])
    assert got.numpy().tolist() == [[0.0, 0.0, np.inf, 0.0]]


@pytest.mark.parametrize(("skip", "width"), [(False, 6), (True, 16)])
def test_a_functional_model_knows_the_width(skip, width):
    inputs = [keras.Input((3,)) for _ in range(4)]
    outputs = DotInteraction(skip_gather=skip)(inputs)
    assert outputs.shape == (None, width)


BAD = {
    "widths": (
        [np.ones((2, 3)), np.ones((2, 4))],
        r"must be matrices whose dimensions are equal. Received: shapes \(2, 3\), \(2, 4\) "
        r"\(in DotInteraction 'd'\)\. Make the bottom stack as wide as the embeddings\.",
    ),
    "rank": ([np.ones((2, 3, 1)), np.ones((2, 3, 1))], "must be matrices"),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    features, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        DotInteraction(name="d")(features)
