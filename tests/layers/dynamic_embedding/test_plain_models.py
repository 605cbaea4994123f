"""What a plain `keras.Model` does not do for its tables is said, or refused."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest

import recs
from recs.layers import DynamicEmbedding

IDS, Y = np.arange(8).reshape(4, 2), np.ones((4, 1), "float32")


class Subclassed(keras.Model):
    def __init__(self, layer):
        super().__init__()
        self.embedding, self.head = layer, keras.layers.Dense(1)

    def call(self, ids, training=None):
        x = self.embedding(ids, training=training)
        return self.head(keras.ops.reshape(x, (-1, 6)))


def functional(layer, model_class=keras.Model):
    ids = keras.Input((2,), dtype="int64")
    return model_class(ids, keras.layers.Dense(1)(keras.layers.Flatten()(layer(ids))))


def sequential(layer):
    flatten = keras.layers.Flatten()
    return keras.Sequential(
        [keras.Input((2,), dtype="int64"), layer, flatten, keras.layers.Dense(1)]
    )


KINDS = {"functional": functional, "sequential": sequential, "subclassed": Subclassed}


def table_warnings(model, **arguments):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(IDS, Y, epochs=2, verbose=0, **arguments)
        model.fit(IDS, Y, verbose=0, **arguments)
    return [str(w.message) for w in caught if "optimizer of a table" in str(w.message)]


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_table_without_an_optimizer_warns_once(kind, eager):
    model = KINDS[kind](DynamicEmbedding(3, name="users"))
    model.compile(keras.optimizers.Adam(), "mse", run_eagerly=eager)
    (text,) = table_warnings(model)
    assert "'users'" in text
    assert "Adagrad(0.05) and not by Adam" in text
    assert "Give the layer `optimizer=`" in text


def test_a_table_with_an_optimizer_does_not_warn():
    own = functional(DynamicEmbedding(3, optimizer="adam"))
    told = functional(DynamicEmbedding(3), recs.Model)
    frozen = functional(DynamicEmbedding(3, trainable=False))
    for model in (own, told, frozen):
        model.compile("adam", "mse")
        assert not table_warnings(model)


EMA = {
    "one": lambda: keras.optimizers.Adam(use_ema=True),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(use_ema=True)),
}


@pytest.mark.parametrize("optimizer", EMA)
@pytest.mark.parametrize("own", [None, "adam"])
@pytest.mark.parametrize("kind", KINDS)
def test_averages_of_weights_are_refused_at_the_start_of_fit(kind, own, optimizer):
    layer = DynamicEmbedding(3, optimizer=own)
    model = KINDS[kind](layer)
    model.compile(EMA[optimizer](), "mse")
    with pytest.raises(ValueError, match=r"`use_ema` must not be set .*EarlyStopping"):
        model.fit(IDS, Y, verbose=0, callbacks=[keras.callbacks.SwapEMAWeights()])
    assert layer.table.size() == 0


def test_a_recs_model_refuses_averages_when_it_is_compiled():
    for own in (None, "adam"):
        model = functional(DynamicEmbedding(3, optimizer=own), recs.Model)
        with pytest.raises(ValueError, match="`use_ema` must not be set"):
            model.compile(keras.optimizers.Adam(use_ema=True), "mse")


def test_averages_beside_a_frozen_table_are_exact():
    models = []
    for make in (
        lambda: DynamicEmbedding(3, trainable=False),
        lambda: keras.layers.Embedding(8, 3, trainable=False),
    ):
        keras.utils.set_random_seed(1)
        layer = make()
        rows = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
        if isinstance(layer, DynamicEmbedding):
            layer.table.upsert(np.arange(8), rows)
        else:
            layer.build((None,))
            layer.set_weights([rows])
        model = functional(layer)
        model.layers[-1].set_weights([np.ones((6, 1)), np.zeros(1)])
        model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
        swap = keras.callbacks.SwapEMAWeights()
        model.fit(IDS, Y, epochs=3, shuffle=False, verbose=0, callbacks=[swap])
        models.append(model.predict(IDS, verbose=0))
    np.testing.assert_allclose(*models, rtol=1e-6)
