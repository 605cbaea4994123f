"""Positions and blocks of attention against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.sequence import PositionEmbedding, SASRec, SelfAttentionBlock
from tests.layers.sequence import oracles
from tests.layers.sequence.test_encoders import PRESENT, RNG, X


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("heads", [1, 2])
def test_a_block_is_the_formula(heads, norm, causal):
    layer = SelfAttentionBlock(heads, ffn_dim=3, norm=norm, causal=causal)
    layer.build((None, None, 4))
    weights = oracles.randomize(layer)
    probe = RNG.normal(size=X.shape)

    def of_row(row, x, w):
        return oracles.block(x[row][PRESENT[row]], w, heads, norm, causal)

    def loss(x, *w):
        return sum(float((of_row(r, x, w) * probe[r][PRESENT[r]]).sum()) for r in (0, 1, 2, 3, 5))

    got, by_x, by_weights = oracles.tape_gradients(layer, X, probe, mask=PRESENT)
    assert not got[~PRESENT].any()
    for row in (0, 1, 2, 3, 5):
        want = of_row(row, X, weights)
        np.testing.assert_allclose(got[row][PRESENT[row]], want, rtol=1e-4, atol=1e-5)
    want_x, *want_weights = oracles.numeric_gradient(loss, [X, *weights])
    np.testing.assert_allclose(by_x, want_x, rtol=2e-3, atol=2e-4)
    for a, b in zip(by_weights, want_weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)


def test_attention_is_a_distribution_over_what_may_be_seen():
    layer = SASRec(num_blocks=3, num_heads=2, seed=1)
    attention = layer.attention(X.astype("float32"), mask=PRESENT).numpy()
    assert attention.shape == (6, 3, 2, 5, 5)
    seen = PRESENT[:, None, :] & np.tri(5, dtype=bool)
    assert ((attention > 0) == seen[:, None, None]).all()
    sums = attention.sum(axis=-1)
    np.testing.assert_allclose(sums, np.broadcast_to(seen.any(axis=-1)[:, None, None], sums.shape),
                               atol=1e-6)  # fmt: skip


def test_positions_count_from_the_newest_that_counts():
    layer = PositionEmbedding(3)
    layer.build((None, None, 1))
    layer.set_weights([np.array([[1.0], [2.0], [3.0]])])
    got = layer(np.zeros((6, 5, 1), "float32"), mask=PRESENT)[:, :, 0].numpy().tolist()
    assert got == [
        [3, 2, 1, 0, 0],
        [0, 0, 3, 2, 1],
        [3, 0, 2, 0, 1],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0],
        [3, 3, 3, 2, 1],
    ]
    ragged = tf.ragged.constant([[[0.0]], [[0.0], [0.0]], []], ragged_rank=1, inner_shape=(1,))
    dense = layer(ragged)
    assert dense[:, :, 0].numpy().tolist() == [[1, 0], [2, 1], [0, 0]]
    assert dense._keras_mask.numpy().tolist() == [[True, False], [True, True], [False, False]]


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"`num_heads` must divide .*num_heads=3 for vectors of 4"):
        SelfAttentionBlock(3)(X)
    with pytest.raises(ValueError, match=r"`norm` must be 'pre' or 'post'"):
        SelfAttentionBlock(norm="none")
    with pytest.raises(ValueError, match=r"`ffn_dim` must be a positive integer"):
        SelfAttentionBlock(ffn_dim=0)
    with pytest.raises(ValueError, match=r"`length` must be a positive integer"):
        PositionEmbedding(0)
