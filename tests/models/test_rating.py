from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.data import Interactions, RaggedColumn
from recs.models import RatingModel

LOG = Interactions(
    {
        "user": ["u", "u", "v", "v"],
        "item": ["a", "b", "a", "c"],
        "rating": [5.0, 1.0, 4.0, 3.0],
        "genres": RaggedColumn.from_lists([["x"], ["x", "y"], ["x"], []]),
    }
)


def made(**arguments):
    given = {"user": "user", "item": "item", "rating": "rating", "embedding_dim": 3, "seed": 5}
    return RatingModel(**{**given, **arguments})


def trained(epochs=60, **arguments):
    model = made(**arguments).set_mean(float(LOG.rating.mean()))
    model.compile(optimizer=keras.optimizers.Adagrad(0.1))
    data = LOG.to_dataset(batch_size=4).cache()
    return model, model.fit(data, epochs=epochs, verbose=0, shuffle=False).history


def test_an_untrained_model_says_the_mean():
    told = made().set_mean(3.25).predict_ratings(dict(LOG))
    assert told.tolist() == [3.25] * 4


def test_the_prediction_is_mean_biases_and_mlp():
    model = made(units=[])
    model.set_mean(2.0)
    user, item = np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.5, 2.0])
    model.query_tower.embedding.table.upsert(["u"], user[None])
    model.candidate_tower.embedding.table.upsert(["a"], item[None])
    model.user_bias.table.upsert(["u"], [[0.25]])
    model.item_bias.table.upsert(["a"], [[0.5]])
    kernel = model.mlp[0].kernel.numpy().ravel()
    expected = 2.0 + 0.75 + np.concatenate([user, item, user * item]) @ kernel
    told = model.predict_ratings({"user": ["u"], "item": ["a"]})
    assert told.tolist() == pytest.approx([expected], rel=1e-6)


def test_it_learns_and_reports_rmse():
    model, history = trained(item_features=["genres"])
    told = model.predict_ratings(dict(LOG))
    assert np.sqrt(np.mean((told - LOG.rating) ** 2)) < 0.5 < history["rmse"][0]
    assert model.evaluate(LOG.to_dataset(batch_size=4), verbose=0, return_dict=True)[
        "rmse"
    ] == pytest.approx(np.sqrt(np.mean((told - LOG.rating) ** 2)), rel=1e-5)


def test_the_loss_is_the_mean_squared_error():
    model = made().set_mean(3.0)
    model.compile(optimizer="sgd")
    logs = model.test_on_batch(dict(LOG.take(slice(0, 4))) | {"genres": None}, return_dict=True)
    assert float(logs["loss"]) == pytest.approx(np.mean((LOG.rating - 3.0) ** 2))


def test_dropout_acts_in_training_only():
    model, _ = trained(epochs=3, dropout=0.5)
    batch = {"user": LOG.user, "item": LOG.item}
    batch = {name: keras.ops.convert_to_tensor(ids.tolist()) for name, ids in batch.items()}
    assert (model(batch).numpy() == model(batch).numpy()).all()
    assert (model(batch, training=True).numpy() != model(batch).numpy()).any()


def test_saved_and_loaded_it_says_the_same(tmp_path):
    model, _ = trained(epochs=5, item_features=["genres"])
    told = model.predict_ratings(dict(LOG))
    model.save(tmp_path / "model.keras")
    model.set_mean(0.0)
    model.user_bias.table.clear()
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict_ratings(dict(LOG)), told, rtol=1e-6)


def test_ratings_must_be_in_the_batch():
    model = made(rating="stars")
    model.compile(optimizer="sgd")
    with pytest.raises(ValueError, match="must have the ratings as 'stars'"):
        model.fit(LOG.to_dataset(batch_size=4), verbose=0, shuffle=False)


def test_it_is_served_with_features_as_padded_text():
    model, _ = trained(epochs=5, item_features=["genres"])
    served = model.serving_signatures()["serving_default"](
        {
            "user": keras.ops.convert_to_tensor(["u", "u"]),
            "item": keras.ops.convert_to_tensor(["a", "b"]),
            "genres": keras.ops.convert_to_tensor([["x", ""], ["x", "y"]]),
        }
    )
    np.testing.assert_allclose(
        served["rating"].numpy(), model.predict_ratings(dict(LOG))[:2], rtol=1e-5
    )
