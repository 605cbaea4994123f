"""Ranks in lists, steps at quantiles, and the scorer of embeddings."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.layers.ranking import FactorizationScorer, QuantileSteps, RankInList

RNG = np.random.default_rng(5)


def ranks(lists, there):
    """Compares every pair, as the formula says."""
    out = np.zeros_like(lists)
    for b, i, f in np.ndindex(lists.shape):
        others = lists[b, there[b], f]
        if there[b, i]:
            below, above = (others < lists[b, i, f]).sum(), (others > lists[b, i, f]).sum()
            out[b, i, f] = (below - above) / len(others)
    return out


def test_ranks_count_the_pairs_with_ties_and_padding():
    lists = RNG.integers(-2, 3, (6, 7, 4)).astype("float32")  # many ties
    there = np.arange(7) < np.array([7, 0, 1, 3, 5, 6])[:, None]
    found = RankInList()(lists, mask=there).numpy()
    np.testing.assert_allclose(found, ranks(lists, there), atol=1e-6)
    np.testing.assert_allclose(RankInList()(lists), ranks(lists, np.ones_like(there)), atol=1e-6)
    assert RankInList().compute_output_shape((None, None, 4)) == (None, None, 4)


def test_ranks_do_not_see_padding_or_scale():
    lists = RNG.normal(size=(3, 5, 2)).astype("float32")
    there = np.arange(5) < np.array([5, 2, 4])[:, None]
    plain = RankInList()(lists, mask=there).numpy()
    other = np.where(there[..., None], lists, 1e30)
    np.testing.assert_array_equal(RankInList()(other, mask=there), plain)
    np.testing.assert_array_equal(RankInList()(np.sign(lists) * lists**2, mask=there), plain)
    wider = np.pad(lists, [(0, 0), (0, 3), (0, 0)], constant_values=-9.0)
    more = RankInList()(wider, mask=np.pad(there, [(0, 0), (0, 3)])).numpy()
    np.testing.assert_array_equal(more[:, :5], plain)


def test_what_is_of_the_query_has_no_rank():
    lists = np.broadcast_to(RNG.normal(size=(3, 1, 2)), (3, 5, 2)).astype("float32")
    assert not RankInList()(lists).numpy().any()


@pytest.mark.parametrize("absent", [0.0, None])
def test_steps_are_at_the_quantiles_of_what_is_known(absent):
    data = RNG.normal(size=(50, 3)).round(1).astype("float32")
    data[RNG.random((50, 3)) < 0.3] = 0.0
    layer = QuantileSteps([0.2, 0.5, 0.9], absent=absent)
    layer.adapt(data)
    want = []
    for quantile in (0.2, 0.5, 0.9):
        for column in range(3):
            known = data[:, column]
            known = known if absent is None else known[known != absent]
            want.append(np.where(data[:, column] > np.quantile(known, quantile), 0.5, -0.5))
    np.testing.assert_array_equal(layer(data), np.stack(want, axis=1))
    lists = data.reshape(10, 5, 3)
    np.testing.assert_array_equal(layer(lists), np.stack(want, 1).reshape(10, 5, 9))
    assert layer.compute_output_shape((None, None, 3)) == (None, None, 9)


def test_steps_of_a_feature_that_is_never_known():
    layer = QuantileSteps([0.5], absent=0.0)
    layer.adapt(np.zeros((4, 1)))
    assert layer(np.array([[0.0], [1.0], [-1.0]])).numpy().ravel().tolist() == [-0.5, 0.5, -0.5]


def test_steps_are_not_trained_and_are_saved(tmp_path):
    inputs = keras.Input((3,))
    layer = QuantileSteps()
    model = keras.Model(inputs, layer(inputs))
    data = RNG.normal(size=(50, 3)).astype("float32")
    layer.adapt(data)
    assert not model.trainable_variables
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again(data), model(data))
    assert not np.array_equal(QuantileSteps()(data), model(data))


@pytest.mark.parametrize("quantiles", [[], [0.0], [0.5, 1.0]])
def test_quantiles_out_of_range(quantiles):
    with pytest.raises(ValueError, match="`quantiles` must be from above 0 to below 1"):
        QuantileSteps(quantiles)


def test_adapting_to_lists():
    with pytest.raises(ValueError, match=r"`data` must be \(items, dim\).*shape \(2, 3, 4\)"):
        QuantileSteps().adapt(np.zeros((2, 3, 4)))


def test_factorization_sums_biases_and_pairs():
    fields = RNG.normal(size=(4, 5, 3, 6)).astype("float32")
    want = fields[..., 0].sum(-1)
    for a in range(3):
        for b in range(a):
            want += (fields[:, :, a, 1:] * fields[:, :, b, 1:]).sum(-1)
    found = FactorizationScorer(6)(fields.reshape(4, 5, 18))
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


def test_factorization_with_a_network():
    fields = RNG.normal(size=(4, 5, 2, 3)).astype("float32")
    flat = fields.reshape(4, 5, 6)
    layer = FactorizationScorer(3, [7], kernel_regularizer="l2")
    found = layer(flat)
    kernel, bias, last, shift = (weight.numpy() for weight in layer.weights)
    hidden = np.maximum(fields[..., 1:].reshape(4, 5, 4) @ kernel + bias, 0)
    want = FactorizationScorer(3)(flat).numpy() + (hidden @ last + shift)[..., 0]
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)
    assert len(layer.losses) == 2
    assert layer.compute_output_shape((None, None, 6)) == (None, None)


def test_dropout_spares_the_biases():
    fields = np.zeros((2, 3, 2, 3), "float32")
    fields[..., 0] = 1.0
    scores = FactorizationScorer(3, dropout=0.9)(fields.reshape(2, 3, 6), training=True)
    np.testing.assert_array_equal(scores, np.full((2, 3), 2.0))


def test_what_is_no_number_of_fields():
    with pytest.raises(ValueError, match="must be vectors of 4 numbers side by side"):
        FactorizationScorer(4)(np.zeros((2, 3, 6)))
    with pytest.raises(ValueError, match="`field_dim` must be 2 or more"):
        FactorizationScorer(1)
