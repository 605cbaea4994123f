"""`SamplingProbabilityCorrection` at its ends."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.layers.loss import SamplingProbabilityCorrection, SamplingProbablityCorrection


def test_the_peers_spelling():
    assert SamplingProbablityCorrection is SamplingProbabilityCorrection


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_clipped_at_both_ends(policy):
    keras.config.set_dtype_policy(policy)
    p = np.array([0.0, 1e-7, 1e-5, 1.0, 2.0], "float32")
    got = SamplingProbabilityCorrection()(np.zeros((1, 5), "float32"), p)
    want = -np.log([1e-6, 1e-6, 1e-5, 1.0, 1.0])
    np.testing.assert_allclose(np.asarray(got)[0], want, rtol=1e-5, atol=1e-7)
