"""What the indexes share."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.layers.factorized_top_k import BruteForce, Streaming, TopK


def test_the_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        TopK(k=1)


@pytest.mark.parametrize("layer", [BruteForce, Streaming])
def test_config_round_trip(layer):
    tower = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    first = layer(tower, k=4, name="index")
    again = layer.from_config(first.get_config())
    assert again.get_config() == first.get_config()
    assert again.query_model(np.ones((1, 2))).shape == (1, 3)
    assert again.is_exact()


def test_functions_are_query_models_too():
    index = BruteForce(lambda x: x["q"] * 2.0, k=1).index(np.eye(2, dtype="float32"))
    assert index({"q": np.array([[0.0, 1.0]])})[0].numpy() == [[2.0]]
