"""The ranking model over tables and Keras embeddings; numbers are compared in tests/parity."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.experimental.models import Ranking
from recs.experimental.optimizers import CompositeOptimizer
from recs.layers import DynamicEmbedding, EmbeddingCollection, FeatureConfig, TableConfig
from recs.layers.blocks import MLP
from recs.layers.feature_interaction import Cross
from recs.tasks import Ranking as RankingTask
from tests.harness.tiers import slow_but

RNG = np.random.default_rng(2)
ROWS = 256
ADS, PLACES = RNG.integers(0, 8, ROWS), RNG.integers(0, 8, ROWS)
DENSE = RNG.normal(size=(ROWS, 3)).astype("float32")
# Whether it is a click depends on the pair.
CLICKS = ((ADS + PLACES) % 2 == 0).astype("float32")
X = {"dense_features": DENSE, "sparse_features": {"ad": ADS, "place": PLACES}}


@keras.saving.register_keras_serializable("tests")
class OfDict(keras.layers.Layer):
    """A layer for each feature."""

    def __init__(self, layers, **kwargs):
        super().__init__(**kwargs)
        self.of = dict(layers)

    def build(self, input_shape):
        for name, layer in self.of.items():
            layer.build(input_shape[name])

    def call(self, features):
        return {name: self.of[name](ids) for name, ids in features.items()}

    def get_config(self):
        saved = {n: keras.saving.serialize_keras_object(one) for n, one in self.of.items()}
        return {**super().get_config(), "layers": saved}

    @classmethod
    def from_config(cls, config):
        layers = {
            n: keras.saving.deserialize_keras_object(one) for n, one in config["layers"].items()
        }
        return cls(**{**config, "layers": layers})


def _collection():
    table = TableConfig("of", 4, seed=1)
    other = TableConfig("places", 4, seed=2)
    return EmbeddingCollection(
        [FeatureConfig("ad", table, combiner=None), FeatureConfig("place", other, combiner=None)]
    )


def _dynamic():
    return OfDict({n: DynamicEmbedding(4, seed=i) for i, n in enumerate(("ad", "place"))})


def _keras():
    return OfDict({name: keras.layers.Embedding(8, 4) for name in ("ad", "place")})


EMBEDDINGS = {"collection": _collection, "dynamic": _dynamic, "keras": _keras}


def composite(model):
    return CompositeOptimizer(
        [
            (keras.optimizers.Adagrad(0.3), lambda: model.embedding_trainable_variables),
            (keras.optimizers.Adam(0.01), lambda: model.dense_trainable_variables),
        ]
    )


def made(embeddings, **arguments):
    keras.utils.set_random_seed(3)
    model = Ranking(EMBEDDINGS[embeddings](), bottom_stack=MLP([8, 4]), **arguments)
    model.compile(composite(model))
    return model


def batches(size=64):
    return tf.data.Dataset.from_tensor_slices((X, CLICKS)).batch(size)


@pytest.mark.parametrize("embeddings", slow_but(EMBEDDINGS, "collection"))
def test_it_learns_which_pairs_are_clicked(embeddings):
    model = made(embeddings)
    model.fit(batches().repeat(30), verbose=0)
    figures = model.evaluate(batches(), return_dict=True, verbose=0)
    assert figures["auc"] > 0.95
    assert figures["label_mean"] == pytest.approx(CLICKS.mean())
    assert figures["prediction_mean"] == pytest.approx(CLICKS.mean(), abs=0.1)


@pytest.mark.parametrize("embeddings", slow_but(EMBEDDINGS, "dynamic"))
def test_saved_and_loaded_it_goes_on_where_it_was(embeddings, tmp_path):
    model = made(embeddings)
    model.fit(batches(), verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    for one in (model, again):
        one.fit(batches(), verbose=0)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.slow
def test_dcn():
    crosses = keras.Sequential([keras.layers.Concatenate(), Cross(projection_dim=4)])
    model = made("collection", feature_interaction=crosses, concat_dense=False)
    model.fit(batches().repeat(30), verbose=0)
    assert model.evaluate(batches(), return_dict=True, verbose=0)["auc"] > 0.9


def test_weights_are_of_examples():
    model = made("keras")
    weights = RNG.random(ROWS).astype("float32")
    p = model(X).numpy().astype(float)
    losses = -np.log(np.where(CLICKS > 0, p, 1 - p))
    for given in (weights, weights[:, None]):
        logs = model.test_on_batch(X, CLICKS, sample_weight=given, return_dict=True)
        assert logs["loss"] == pytest.approx(np.mean(losses * weights), rel=1e-4)
        mean = np.sum(p * weights) / np.sum(weights)
        assert logs["prediction_mean"] == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_labels_may_have_a_second_axis(shape):
    model = made("keras")
    logs = model.test_on_batch(X, CLICKS.reshape(shape), return_dict=True)
    p = model(X).numpy().astype(float)
    assert logs["loss"] == pytest.approx(np.mean(-np.log(np.where(CLICKS > 0, p, 1 - p))), rel=1e-4)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_batch_of_one_and_of_none(rows):
    model = made("collection")
    few = keras.tree.map_structure(lambda one: one[:rows], X)
    np.testing.assert_allclose(model(few), model(X)[:rows], rtol=1e-5)


def test_embeddings_of_one_number():
    ids = OfDict({"ad": keras.layers.Embedding(8, 1)})
    model = Ranking(ids, bottom_stack=MLP([1]))
    x = {"dense_features": DENSE[:1], "sparse_features": {"ad": ADS[:1, None]}}
    assert model(x).shape == (1,)


def test_a_task_of_ones_own():
    loss = keras.losses.MeanSquaredError()
    model = made("keras", task=RankingTask(loss), top_stack=MLP([1]))
    logs = model.test_on_batch(X, CLICKS, return_dict=True)
    assert logs["loss"] == pytest.approx(np.mean((model(X).numpy() - CLICKS) ** 2), rel=1e-4)


def test_variables_are_parted():
    model = made("dynamic")
    model(X)
    assert [v.path.split("/")[-1] for v in model.embedding_trainable_variables] == ["anchor"] * 2
    dense = model.dense_trainable_variables
    assert len(dense) == 4 + 6
    assert len(model.trainable_variables) == 12


def test_a_batch_of_another_kind_is_an_error():
    model = made("keras")
    with pytest.raises(ValueError, match=r"must be \(features, labels\) or.*Received: tuple of 4"):
        model.compute_loss((X, CLICKS, CLICKS, CLICKS))
    with pytest.raises(ValueError, match=r"Received: dict \(in Ranking"):
        model.compute_loss(X)


def test_several_vectors_an_example_are_an_error():
    model = made("keras")
    x = {"dense_features": DENSE, "sparse_features": {"ad": np.stack([ADS, ADS], 1), "place": ADS}}
    with pytest.raises(
        ValueError, match=r"must be one vector an example. Received: shape \(256, 2"
    ):
        model(x)
