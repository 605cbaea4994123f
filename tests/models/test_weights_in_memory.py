"""Weights in memory of the ready models: a snapshot brings back what was predicted."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.models.ready_models import NEEDS, READY

MODELS = {
    # Those that draw negatives evaluate on others each time: where a generator is, is no weight.
    **{f"{name}, told": needs for name, needs in NEEDS.items() if name != "negatives"},
    **{name: (make, data, lambda model: model) for name, (make, data, _) in READY.items()},
}


def figures(model, data):
    keras.utils.set_random_seed(4)  # of negatives that are drawn
    return model.evaluate(data(), verbose=0, return_dict=True)


@pytest.mark.parametrize("name", MODELS)
def test_set_weights_brings_back_every_figure(name):
    make, data, mend = MODELS[name]
    model = mend(make())
    model.compile(keras.optimizers.Adam(0.1))
    model.fit(data(), verbose=0)
    weights, before = model.get_weights(), figures(model, data)
    model.fit(data(), epochs=2, verbose=0)
    assert figures(model, data) != before
    model.set_weights(weights)
    assert figures(model, data) == before
    if "light_gcn" in name:
        return  # its graph is not a weight
    clone = mend(make())
    clone.compile("sgd")
    clone.evaluate(data(), verbose=0)  # builds what is built by the first batch
    clone.set_weights(weights)
    got = figures(clone, data)
    for figure, value in before.items():
        np.testing.assert_allclose(got[figure], value, rtol=1e-6, err_msg=figure)
