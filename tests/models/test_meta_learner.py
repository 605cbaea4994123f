"""The learner: training, memory, prediction and serving, over models that know it or not."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.data import Samples
from recs.layers.eviction import SecondsToLive
from recs.layers.multi_task import MMoE
from recs.models import MetaLearner, MultiTaskModel, RatingModel
from tests.meta import reference
from tests.models.meta_models import (
    ByProduct,
    Grades,
    grade_learner,
    grade_rows,
    of,
    rating_learner,
    rating_rows,
    tensors,
)

METHODS = ["maml", "first_order_maml", "reptile"]


@pytest.fixture
def batch(rng):
    return rating_rows(rng)


@pytest.fixture
def learner(batch):
    made = rating_learner()
    made.compile("adagrad")
    made.model(tensors(batch), training=True)  # makes embeddings
    return made.remember(batch)


def asked(batch, adapt=None):
    rows = tensors({name: batch[name] for name in ("user_id", "item_id")})
    return rows if adapt is None else {**rows, "adapt": tf.fill([len(batch["user_id"])], adapt)}


@pytest.mark.parametrize("method", METHODS)
def test_it_learns_and_says_what(batch, method):
    made = rating_learner(method=method)
    made.compile(keras.optimizers.Adagrad(0.1))
    data = tf.data.Dataset.from_tensor_slices(batch).batch(24)
    history = made.fit(data, epochs=8, verbose=0).history
    for name in ("ordinary_loss", "meta_loss", "loss"):
        assert history[name][-1] < 0.95 * history[name][0], name
    total = np.add(history["ordinary_loss"], history["meta_loss"])
    np.testing.assert_allclose(history["loss"], total, rtol=1e-3)
    assert set(history["tasks"]) == {4.0}
    assert set(made.evaluate(data, return_dict=True, verbose=0)) == set(history)
    assert made.memory["mlp"].table.size() == 8


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
@pytest.mark.parametrize("method", METHODS)
def test_a_step_is_that_of_a_dense_embedding_and_commits_once(rng, method, optimizer):
    rows = rng.normal(size=(6, 4)).astype("float32")
    batch = grade_rows(rng)
    sparse = recs.layers.DynamicEmbedding(4, seed=1)
    sparse.table.upsert(np.arange(6), rows)
    before = sparse.table.stats()["step"]
    models = [Grades(sparse), Grades(ByProduct(rows))]
    for model in models:
        made = grade_learner(model, method=method, inner_steps=2, support=2, query=2)
        kind = keras.optimizers.SGD if optimizer == "sgd" else keras.optimizers.Adagrad
        made.compile(kind(0.1))
        for _ in range(2):
            made.train_on_batch(tensors(batch))
    assert sparse.table.stats()["step"] == before + 2
    np.testing.assert_allclose(
        sparse.table.lookup(np.arange(6)), models[1].items.table, rtol=1e-4, atol=1e-6
    )
    assert np.abs(models[1].items.table - rows).max() > 1e-3
    for ours, theirs in zip(models[0].tower.weights, models[1].tower.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_the_loss_is_the_models_and_the_weighed_meta_loss(rng, weight):
    batch = tensors(grade_rows(rng))
    made = grade_learner(Grades(recs.layers.DynamicEmbedding(4, seed=1)), meta_weight=weight)
    made.model.items(batch["item"], training=True)
    plain = made.model.compute_loss(batch)
    total = made.compute_loss(batch)
    logged = {m.name: float(m.result()) for m in made.metrics if m.name in ("meta_loss", "tasks")}
    want = plain + weight * logged["meta_loss"]
    np.testing.assert_allclose(total, want, rtol=1e-5)
    assert logged["tasks"] == (5.0 if weight else 0.0)


def test_the_meta_loss_is_that_of_the_paper(rng):
    batch = grade_rows(rng, pupils=3, each=5)
    made = grade_learner(
        Grades(recs.layers.DynamicEmbedding(4, seed=1)), support=9, query=9, inner_steps=2
    )
    made.model.items(batch["item"], training=True)
    made.compute_loss(tensors(batch))
    (logged,) = (m.result() for m in made.metrics if m.name == "meta_loss")
    x = np.asarray(made.model.shared(made.model.items(batch["item"])), np.float64)
    y = batch["grade"][:, None].astype(np.float64)
    weights = _weights(made.model.tower.layers)
    tasks = [(x[i:j], y[i:j], x[j:k], y[j:k]) for i, j, k in ((0, 2, 5), (5, 7, 10), (10, 12, 15))]
    want = reference.maml_loss(weights, tasks, 0.3, 2, [True, True])
    np.testing.assert_allclose(logged, want, rtol=1e-4)


def _weights(layers):
    return [tuple(np.asarray(w, np.float64) for w in (d.kernel, d.bias)) for d in layers]


def test_a_prediction_is_that_of_the_tasks_own_weights(rng):
    batch = grade_rows(rng)
    made = grade_learner(Grades(recs.layers.DynamicEmbedding(4, seed=1)), inner_steps=3)
    made.model.items(batch["item"], training=True)
    made.remember(batch)
    found = made(tensors(batch))
    x = np.asarray(made.model.shared(made.model.items(batch["item"])), np.float64)
    y = batch["grade"][:, None].astype(np.float64)
    for pupil in range(5):
        rows = batch["pupil"] == pupil
        own = reference.adapted(
            _weights(made.model.tower.layers), x[rows], y[rows], 0.3, 3, [True, True]
        )
        want = reference.forward(own, x[rows])[-1]
        np.testing.assert_allclose(found[rows], want, rtol=1e-3, atol=1e-5)


def test_what_a_task_gets_does_not_depend_on_the_batch(learner, batch):
    together = learner(asked(batch)).numpy()
    alone = [float(learner(asked(of(batch, [row])))[0]) for row in range(len(together))]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    backwards = learner(asked(of(batch, np.arange(len(together))[::-1]))).numpy()[::-1]
    np.testing.assert_allclose(together, backwards, rtol=1e-5)


def test_without_support_or_switched_off_it_is_the_models_prediction(learner, batch):
    plain = learner.model(asked(batch)).numpy()
    adapted = learner(asked(batch)).numpy()
    assert np.abs(adapted - plain).max() > 0.05
    np.testing.assert_array_equal(learner(asked(batch, False)), plain)
    mixed = {**asked(batch), "adapt": tf.constant(np.arange(len(plain)) % 2 == 0)}
    np.testing.assert_allclose(learner(mixed), np.where(mixed["adapt"], adapted, plain), rtol=1e-6)
    learner.memory["mlp"].table.remove(["user 3"])
    of_three = batch["user_id"] == "user 3"
    found = learner(asked(batch)).numpy()
    np.testing.assert_array_equal(found[of_three], plain[of_three])
    np.testing.assert_allclose(found[~of_three], adapted[~of_three], rtol=1e-6)
    learner.forget()
    np.testing.assert_array_equal(learner(asked(batch)), plain)


@pytest.mark.parametrize("stock_ops", [True, False])
def test_it_adapts_where_it_is_served(learner, batch, tmp_path, stock_ops):
    want = {on: learner(asked(batch, on)).numpy() for on in (True, False)}
    path = learner.export(tmp_path / "1", stock_ops=stock_ops)
    learner.forget()
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    for on in (True, False):
        served = serve(**asked(batch, on))["rating"]
        np.testing.assert_allclose(served, want[on], rtol=1e-5)
        alone = [serve(**asked(of(batch, [row]), on))["rating"][0] for row in range(0, 48, 7)]
        np.testing.assert_allclose(alone, want[on][::7], rtol=1e-5)
    new = {**of(batch, [0]), "user_id": np.array(["nobody"], object)}
    on, off = (serve(**asked(new, switch))["rating"] for switch in (True, False))
    np.testing.assert_array_equal(on, off)


def test_it_is_saved_with_its_memory_and_trained_further(learner, batch, tmp_path):
    learner.train_on_batch(tensors(batch))
    want = learner(asked(batch)).numpy()
    learner.save(tmp_path / "model.keras")
    checkpoint = tf.train.Checkpoint(model=learner).save(str(tmp_path / "checkpoint"))
    learner.forget().train_on_batch(tensors(batch))
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(asked(batch)), want, rtol=1e-6)
    assert again.get_config() == learner.get_config()
    again.fit(tf.data.Dataset.from_tensor_slices(batch).batch(16), verbose=0)
    tf.train.Checkpoint(model=learner).restore(checkpoint)
    np.testing.assert_allclose(learner(asked(batch)), want, rtol=1e-6)


def test_the_memory_has_the_last_inputs_and_labels_of_each_task(batch):
    made = rating_learner(memory_size=4)
    made.model.candidate_tower.embedding(batch["item_id"], training=True)
    made.remember(batch)
    records, lengths, _ = made.memory["mlp"].recent(["user 2", "nobody"])
    assert lengths.numpy().tolist() == [4, 0]
    rows = of(batch, np.flatnonzero(batch["user_id"] == "user 2")[-4:])
    item = made.model.candidate_tower(rows)
    np.testing.assert_allclose(records[0, :, 4:8], item, rtol=1e-6)
    np.testing.assert_allclose(records[0, :, -1], rows["user_rating"] - 3.0, rtol=1e-6)


def test_tasks_that_stay_away_are_forgotten(batch):
    made = rating_learner(eviction=SecondsToLive(3600), timestamp="time")
    users = np.array([int(u.split()[1]) for u in batch["user_id"]])
    for _ in range(2):  # what two look-ups say is the time
        made.remember({**batch, "time": 1000 + 1000 * users})
    known = made.memory["mlp"].table.export()[0]
    assert sorted(known.tolist()) == [f"user {u}".encode() for u in range(4, 8)]
    config = made.get_config()
    again = MetaLearner.from_config(config)
    assert again.get_config() == config


@pytest.mark.slow
def test_training_remembers_what_the_towers_were_given(batch):
    for remember in (True, False):
        made = rating_learner(remember_training=remember)
        made.compile("sgd")
        made.train_on_batch(tensors(batch))
        assert made.memory["mlp"].table.size() == (8 if remember else 0)
        made.evaluate(tf.data.Dataset.from_tensor_slices(batch).batch(8), verbose=0)
        assert made.memory["mlp"].table.stats()["step"] == int(remember)


def test_a_layer_of_the_tower_is_named(batch):
    made = rating_learner(layers=["dense_1"])
    assert made.memory["mlp"].width == 5 + 1
    made.remember(batch)
    plain = made.model(asked(batch)).numpy()
    assert not np.allclose(made(asked(batch)), plain)
    assert rating_learner(layers=["mlp/dense_0"]).memory["mlp"].width == 12 + 1


def several(rng, **kwargs):
    samples = {
        "shop": np.repeat(["a", "b", "c"], 8).astype(object),
        "kind": np.array([f"kind {i}" for i in rng.integers(0, 5, 24)], object),
        "click": (rng.random(24) < 0.5).astype("float32"),
        "buy": np.where(rng.random(24) < 0.4, np.nan, 1.0).astype("float32"),
    }
    tasks = ["click", "buy"]
    model = MultiTaskModel(tasks, MMoE(tasks, 2, (4,)), categories=["kind"], seed=1)
    return samples, MetaLearner(model, task="shop", inner_rate=0.5, seed=1, **kwargs)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_every_tower_of_several_labels_adapts_to_those_that_are_there(rng, tmp_path, weight):
    samples, made = several(rng, meta_weight=weight)
    made.compile("adam")
    made.fit(Samples(samples).to_dataset(batch_size=24), epochs=2, verbose=0)
    made.forget().remember(samples)
    lengths = made.memory["buy"].recent(["a", "b", "c"]).lengths.numpy()
    known = ~np.isnan(samples["buy"]).reshape(3, 8)
    np.testing.assert_array_equal(lengths, known.sum(1))
    assert made.memory["click"].recent(["a"]).lengths.numpy().tolist() == [8]
    asked = tensors({name: samples[name] for name in ("shop", "kind")})
    plain, adapted = made.model(asked), made(asked)
    for task in ("click", "buy"):
        assert np.abs(adapted[task] - plain[task]).max() > 1e-3
    # Nothing but ones was seen of `buy`.
    assert np.all(np.asarray(adapted["buy"]) > np.asarray(plain["buy"]))
    serve = tf.saved_model.load(str(made.export(tmp_path / "1"))).signatures["serving_default"]
    served = serve(**asked, adapt=tf.ones([24], tf.bool))
    for task in ("click", "buy"):
        np.testing.assert_allclose(served[task], adapted[task], rtol=1e-5)


def test_in_half_precision(batch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        made = rating_learner()
    finally:
        keras.config.set_dtype_policy("float32")
    made.compile("sgd")
    logs = made.train_on_batch(tensors(batch), return_dict=True)
    assert np.isfinite(logs["meta_loss"])
    made.forget().remember(batch)
    assert np.isfinite(made(asked(batch))).all()


def test_a_model_without_signatures_is_exported_by_what_it_is_called_with(rng, tmp_path):
    batch = grade_rows(rng)
    made = grade_learner(Grades(recs.layers.DynamicEmbedding(4, seed=1)))
    made.model.items(batch["item"], training=True)
    made.remember(batch)
    with pytest.raises(ValueError, match=r"inputs must be known.*`adapt` among it"):
        made.export(tmp_path / "1")
    inputs = {"pupil": batch["pupil"], "item": batch["item"], "adapt": batch["grade"] > 0}
    serve = tf.saved_model.load(str(made.export(tmp_path / "1", input_signature=inputs)))
    (served,) = serve.signatures["serving_default"](**tensors(inputs)).values()
    np.testing.assert_allclose(served, made(tensors(inputs)), rtol=1e-5)


def _with_normalization():
    model = Grades(recs.layers.DynamicEmbedding(4))
    model.adapting_towers = {"head": [keras.layers.LayerNormalization()]}
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rating_learner(method="mamel"), r"`method` must be one of maml, first_order_maml"),
        (lambda: rating_learner(inner_steps=0), "`inner_steps` must be a positive integer"),
        (lambda: rating_learner(support=True), "`support` must be a positive integer"),
        (lambda: rating_learner(layers=["x"]), "'x', which 0 layers.*There are: mlp/dense_0, mlp/"),
        (lambda: rating_learner(layers=[]), "`layers` must name one at least"),
        (
            lambda: grade_learner(_with_normalization()),
            r"made of `keras.layers.Dense`.*LayerNormalization",
        ),
        (
            lambda: grade_learner(Grades(recs.layers.DynamicEmbedding(4)), labels=None),
            "`labels` must be known.*`tower_labels`",
        ),
        (
            lambda: grade_learner(Grades(recs.layers.DynamicEmbedding(4)), loss=None),
            "`loss` must be a Keras loss.*`tower_loss`",
        ),
        (
            lambda: grade_learner(Grades(recs.layers.DynamicEmbedding(4), units=(3, 2))).remember(
                tensors(grade_rows(np.random.default_rng(1)))
            ),
            "must have the shape of the ids",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_tower_has_its_weights_before():
    class Unbuilt(recs.Model):
        def __init__(self):
            super().__init__()
            self.tower = recs.layers.blocks.MLP([1])

    with pytest.raises(ValueError, match=r"must have its weights before.*self.tower.build"):
        grade_learner(Unbuilt())


def test_a_tower_that_does_not_run_is_told(rng):
    class Other(Grades):
        def compute_loss(self, inputs, training=False):
            return keras.ops.sum(self.shared(self.items(inputs["item"])))

    made = grade_learner(Other(recs.layers.DynamicEmbedding(4)))
    with pytest.raises(ValueError, match=r"'tower' must be called once in a step.*0 calls"):
        made.compute_loss(tensors(grade_rows(rng)))


@pytest.mark.slow
def test_ratings_without_a_user(rng, tmp_path):
    batch = rating_rows(rng)
    model = RatingModel(user=None, embedding_dim=4, units=[], regularization=0.01, seed=1)
    made = MetaLearner(model, inner_rate=0.3, inner_steps=20, seed=1)
    assert made.columns == ["user_id", "item_id"]
    made.compile("adagrad")
    made.train_on_batch(tensors(batch))
    made.forget().remember(batch)
    signature = made.serving_signatures()["serving_default"].input_signature
    assert set(signature[0]) == {"user_id", "item_id", "adapt"}
    # Twenty steps on six ratings find the user's mean, if nothing else.
    told = made(asked(batch)).numpy().reshape(8, 6).mean(1)
    np.testing.assert_allclose(told, batch["user_rating"].reshape(8, 6).mean(1), atol=0.15)
    again = RatingModel.from_config(model.get_config())
    assert again.query_tower is None
