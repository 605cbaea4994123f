"""The scale against a loop in float64."""

from __future__ import annotations

import numpy as np
import pytest

from recs.experimental.optimizers.shrink_by_references import shrink_by_references


@pytest.mark.parametrize("absolute", [0.0, 0.01])
@pytest.mark.parametrize("factors", [[], [0.1], [0.5, 0.0], [0.2, 0.3]])
def test_the_scale_is_the_largest_within_the_bound(rng, factors, absolute):
    tensor, references = rng.normal(size=(3, 4)), [rng.normal(size=(3, 4)), rng.normal(size=4)]
    tensor[0, 0] = 0.0
    references = references[: len(factors)]
    expected = 1.0
    for place in np.ndindex(tensor.shape):
        if tensor[place] != 0:
            bound = absolute + sum(
                factor * abs(np.broadcast_to(reference, tensor.shape)[place])
                for factor, reference in zip(factors, references, strict=True)
            )
            expected = min(expected, bound / abs(tensor[place]))
    scaled, scale = shrink_by_references(tensor, references, factors, absolute)
    assert float(scale) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(scaled, tensor * expected, rtol=1e-6)


def test_of_nothing_and_of_zeros_the_scale_is_one():
    assert float(shrink_by_references(np.zeros(3, "float32"), [], [], 0.0)[1]) == 1.0
    assert float(shrink_by_references(np.zeros(0, "float32"), [], [], 0.0)[1]) == 1.0


@pytest.mark.parametrize(("factors", "absolute"), [([-1.0], 0.0), ([1.0], -1.0), ([], 1.0)])
def test_wrong_factors_are_refused(factors, absolute):
    with pytest.raises(ValueError, match="must be at least 0, with one relative factor"):
        shrink_by_references(np.ones(2), [np.ones(2)], factors, absolute)
