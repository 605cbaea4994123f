"""The model of several labels: what it learns, saves and serves."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.data import Samples, adult
from recs.export import saved_model
from recs.layers.blocks import MLP
from recs.layers.multi_task import GradNorm, MMoE, PCGrad, UncertaintyWeights
from recs.models import MultiTaskModel
from tests.harness.tiers import slow_but

TASKS = ["long", "even"]


@pytest.fixture
def samples(rng):
    """One label is of the number, the other of the category, and known of half of the rows."""
    kinds = np.array([f"kind {i}" for i in range(10)], object)
    kind = rng.integers(0, 10, 600)
    length = np.exp(rng.normal(size=600) * 2).astype("float32")
    even = np.where(rng.random(600) < 0.5, np.nan, kind % 2 == 0).astype("float32")
    long = (length > 1).astype("float32")
    return Samples({"kind": kinds[kind], "length": length, "even": even, "long": long})


def made(sharing, **kwargs):
    form = {"categories": ["kind"], "numbers": ["length"], "embedding_dim": 4, "seed": 1}
    return MultiTaskModel(TASKS, sharing, **form, **kwargs)


def trained(model, samples, epochs=1):
    model.adapt(samples).compile(keras.optimizers.Adam(0.02))
    data = samples.to_dataset(batch_size=64, shuffle=True).cache()
    return model.fit(data, epochs=epochs, verbose=0).history


@pytest.mark.slow
def test_both_labels_are_learnt(samples):
    history = trained(made(MMoE(TASKS, 2, (8,))), samples, 15)
    assert history["long_auc"][-1] > 0.98
    assert history["even_auc"][-1] > 0.98


def test_numbers_are_tamed_and_scaled(samples):
    model = made(None).adapt(samples)
    tamed = np.log1p(samples["length"])
    np.testing.assert_allclose(model.means, [tamed.mean()], rtol=1e-5)
    np.testing.assert_allclose(model.deviations, [tamed.std()], rtol=1e-5)
    x = model._vector({"kind": tf.constant(["new"]), "length": tf.constant([5.0])})
    want = (np.log1p(5.0) - tamed.mean()) / tamed.std()
    np.testing.assert_allclose(x, [[0, 0, 0, 0, want]], rtol=1e-5)


@keras.saving.register_keras_serializable("tests")
class OwnUncertainty(UncertaintyWeights):
    """A user's own weights of losses."""


@keras.saving.register_keras_serializable("tests")
class OwnGradNorm(GradNorm):
    """A user's own balance."""


def sharings():
    balance, own = GradNorm(TASKS), OwnGradNorm(TASKS)
    mlp = {"sharing": MLP((8,), final_activation="relu")}
    return {
        "none": {"sharing": None},
        "mmoe": {"sharing": MMoE(TASKS, 2, (8,)), "weights": "uncertainty"},
        "pcgrad": {**mlp, "balance": PCGrad(TASKS), "weights": {"even": 0.5}},
        "gradnorm": {**mlp, "balance": balance, "weights": balance},
        "own gradnorm": {**mlp, "balance": own, "weights": own},
        "own uncertainty": {"sharing": None, "weights": OwnUncertainty(TASKS)},
    }


@pytest.mark.parametrize("kind", slow_but(sharings(), "mmoe", "gradnorm"))
def test_it_is_saved_trained_further_and_served(samples, tmp_path, kind):
    model = made(**sharings()[kind])
    trained(model, samples)
    want = model.predict_probabilities(samples)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for name, told in again.predict_probabilities(samples).items():
        np.testing.assert_allclose(told, want[name], rtol=1e-5)
    assert type(again.task.loss_weights) is type(model.task.loss_weights)
    if "gradnorm" in kind:
        assert again.task.loss_weights is again.balance
    again.fit(samples.to_dataset(batch_size=64), verbose=0)
    path = saved_model(model, tmp_path / "1")
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    answer = serve(kind=tf.constant(samples["kind"]), length=tf.constant(samples["length"]))
    for name in TASKS:
        np.testing.assert_allclose(answer[name], want[name], rtol=1e-5, atol=1e-6)


def test_a_balance_that_is_not_in_the_network_is_refused():
    with pytest.raises(ValueError, match="must be the layer `balance`"):
        made(None, weights=GradNorm(TASKS))


def test_the_census_has_what_it_says():
    train, test = adult.load(seed=1)
    assert len(train) + len(test) == 48_842
    assert set(train) == {*adult.NUMBERS, *adult.CATEGORIES, *adult.LABELS}
    assert round(float(test["never_married"].mean()), 2) == 0.33
    other, _ = adult.load(seed=2)
    assert not np.array_equal(other["age"], train["age"])


def test_integers_as_categories_are_refused_with_what_to_write(samples):
    model = made(None)
    batch = {"kind": tf.constant([1, 2]), "length": tf.constant([1.0, 2.0])}
    with pytest.raises(
        ValueError, match=r"Column 'kind' must hold strings\. .*as_string"
    ) as caught:
        model(batch)
    assert "id_dtype" not in str(caught.value)
