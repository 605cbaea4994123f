"""What `compile` of a `recs.Model` takes, and what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import recs
from recs.models import LightGCN, RatingModel, TwoTower
from tests.models.small_models import Linear, dataset

MODELS = {
    "own": Linear,
    "two_tower": TwoTower,
    "rating": RatingModel,
    "light_gcn": lambda: LightGCN(user="user", item="item"),
}
REFUSED = {
    "loss": ("mse", "TwoTower"),
    "loss_weights": ([0.5], "MultiTask"),
    "metrics": ([keras.metrics.Accuracy()], "task"),
    "weighted_metrics": (["mse"], "task"),
}


@pytest.mark.parametrize("argument", REFUSED)
@pytest.mark.parametrize("name", MODELS)
def test_what_nothing_would_come_of_is_refused_with_its_place(name, argument):
    value, place = REFUSED[argument]
    with pytest.raises(ValueError, match=rf"`{argument}` must not be compiled.*{place}"):
        MODELS[name]().compile("sgd", **{argument: value})


def test_an_argument_by_position_is_refused_too():
    with pytest.raises(ValueError, match="`loss` must not be compiled"):
        Linear().compile("sgd", "mse")


def test_an_unknown_argument_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"must be among optimizer, loss.*Received: metric "):
        Linear().compile("sgd", metric=["mse"])


@pytest.mark.parametrize(
    "arguments",
    [
        {"metrics": []},
        {"loss": None},
        {"auto_scale_loss": False},
        {"jit_compile": False, "steps_per_execution": 2},
        {"jit_compile": True},
    ],
)
def test_what_is_empty_or_honoured_is_taken(arguments):
    model = Linear()
    model.compile(keras.optimizers.SGD(0.01), **arguments)
    losses = model.fit(dataset(), verbose=0, epochs=3).history["loss"]
    assert losses[-1] < losses[0]


def test_a_model_with_a_call_takes_loss_and_metrics_as_in_keras():
    inputs = keras.Input((1,))
    model = recs.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.ones((4, 1), "float32")
    assert {"loss", "mae"} <= set(model.fit(x, x, verbose=0).history)
