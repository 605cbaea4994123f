"""`recs.tasks.Ranking` and `recs.Model` against TFRS."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.metrics import FactorizedTopK
from recs.models.base import Model
from recs.tasks import Ranking, Retrieval
from tests.parity.peer import Case, run_tfrs

LOSSES = {None: None, "mse": keras.losses.MeanSquaredError}


def _ranking_cases() -> dict[str, Case]:
    cases = {}
    for loss in LOSSES:
        for weighted in (False, True):
            rng = np.random.default_rng(weighted)
            arrays = {
                "labels": rng.integers(0, 2, (9, 1)).astype("float32"),
                "predictions": rng.uniform(0.01, 0.99, (9, 1)).astype("float32"),
            }
            if weighted:
                arrays["weight"] = rng.random((9, 1)).astype("float32")
            cases[f"{loss}-{weighted}"] = Case("ranking", {"loss": loss}, arrays)
    return cases


def _two_tower() -> Case:
    rng = np.random.default_rng(3)
    steps, batch, users, items = 6, 16, 30, 40
    arrays = {
        "users": rng.normal(size=(users, 8)).astype("float32") * 0.5,
        "items": rng.normal(size=(items, 8)).astype("float32") * 0.5,
        "user": rng.integers(0, users, (steps, batch)),
        "item": rng.integers(0, items, (steps, batch)),
        "weight": rng.random((steps, batch)).astype("float32"),
    }
    return Case("two_tower", {"rate": 0.05, "steps": steps}, arrays)


RANKING, TOWER = _ranking_cases(), _two_tower()


@pytest.fixture(scope="module")
def tfrs():
    return run_tfrs("ranking", {**RANKING, "tower": TOWER})


@pytest.mark.parametrize("name", RANKING)
def test_ranking(name, tfrs):
    case = RANKING[name]
    loss_class = LOSSES[case.options["loss"]]
    metrics = [keras.metrics.RootMeanSquaredError(), *(keras.metrics.Mean() for _ in range(3))]
    task = Ranking(loss_class and loss_class(), metrics[:1], *([m] for m in metrics[1:]))
    predictions = tf.constant(case.arrays["predictions"])
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        loss = task(case.arrays["labels"], predictions, sample_weight=case.arrays.get("weight"))
    np.testing.assert_allclose(loss, tfrs[name]["loss"], rtol=1e-5)
    np.testing.assert_allclose(
        tape.gradient(loss, predictions), tfrs[name]["d"], rtol=1e-4, atol=1e-7
    )
    results = [m.result() for m in metrics]
    np.testing.assert_allclose(results, tfrs[name]["metrics"], rtol=1e-5)


class TwoTower(Model):
    def __init__(self, arrays):
        super().__init__()
        regularizer = keras.regularizers.L2(0.01)
        self.users = keras.layers.Embedding(
            *arrays["users"].shape, embeddings_regularizer=regularizer
        )
        self.items = keras.layers.Embedding(*arrays["items"].shape)
        for layer, name in ((self.users, "users"), (self.items, "items")):
            layer.build(None)
            layer.embeddings.assign(arrays[name])
        rows = tf.data.Dataset.range(len(arrays["items"])).batch(16).map(self.items)
        self.task = Retrieval(metrics=FactorizedTopK(rows, ks=(1, 5)))

    def compute_loss(self, inputs, training=False):
        return self.task(
            self.users(inputs["user"]),
            self.items(inputs["item"]),
            sample_weight=inputs["weight"],
            compute_metrics=not training,
        )


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}], ids=["graph", "eager"])
def test_two_tower_trains_alike(how, tfrs):
    arrays, theirs = TOWER.arrays, tfrs["tower"]
    model = TwoTower(arrays)
    model.compile(optimizer=keras.optimizers.SGD(TOWER.options["rate"]), **how)
    batches = [{k: arrays[k][s] for k in ("user", "item", "weight")} for s in range(6)]
    for step, batch in enumerate(batches):
        logs = model.train_on_batch(batch, return_dict=True)
        got = [logs[k] for k in ("loss", "regularization_loss", "total_loss")]
        np.testing.assert_allclose(got, theirs["logs"][step], rtol=1e-5)
    logs = model.test_on_batch(batches[0], return_dict=True)
    np.testing.assert_allclose([logs["loss"], logs["total_loss"]], theirs["test"], rtol=1e-5)
    # Not `theirs["hits"]`: TFRS counts the true candidate's copy in the corpus against it where the
    # processor's matrix product rounds the copy's score up.
    hits = [logs[f"factorized_top_k/top_{k}_categorical_accuracy"] for k in (1, 5)]
    users, items = (theirs[name].astype("float64") for name in ("users", "items"))
    scores = users[batches[0]["user"]] @ items.T
    rank = (scores > np.take_along_axis(scores, batches[0]["item"][:, None], 1)).sum(axis=1)
    want = [np.average(rank < k, weights=batches[0]["weight"]) for k in (1, 5)]
    np.testing.assert_allclose(hits, want, rtol=1e-6)
    assert (np.array(theirs["hits"]) <= np.array(want) + 1e-6).all()
    np.testing.assert_allclose(model.users.embeddings.numpy(), theirs["users"], atol=1e-6)
    np.testing.assert_allclose(model.items.embeddings.numpy(), theirs["items"], atol=1e-6)
