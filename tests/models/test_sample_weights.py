"""How much an example counts, in every ready model, against the formula in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.data import Interactions, Samples
from recs.data.ranking import RankingFeature, RankingFeatures
from recs.models import (
    CrossDomain,
    LightGCN,
    MultiTaskModel,
    Ranker,
    RatingModel,
    SequentialRetrieval,
    TwoTower,
)

ROWS = 4
USER, ITEM = list("abca"), list("wxyz")
WEIGHTS = np.array([0.5, 0.0, 2.0, 1.0], "float32")
LABEL = np.array([1.0, 0.0, 1.0, 1.0], "float32")
PAIRS = {"user": tf.constant(USER), "item": tf.constant(ITEM)}
LOG = Interactions({"user": USER, "item": ITEM})


def softmax_losses(queries, items):
    scores = np.asarray(queries, "float64") @ np.asarray(items, "float64").T
    return np.log(np.exp(scores).sum(1)) - np.diag(scores)


def cross_entropies(logits, labels):
    logits = np.asarray(logits, "float64").reshape(-1)
    return np.log1p(np.exp(-np.abs(logits))) + np.maximum(logits, 0) - logits * labels


def two_tower(weights):
    model = TwoTower(user="user", item="item", embedding_dim=3, seed=1)
    model.compute_loss(PAIRS, training=True)  # Unknown ids have no vectors.
    return model, PAIRS, np.sum(weights * softmax_losses(*model(PAIRS)))


def rating(weights):
    model = RatingModel(user="user", item="item", rating="rating", embedding_dim=3, seed=1)
    batch = {**PAIRS, "rating": tf.constant([5.0, 3.0, 1.0, 2.0])}
    model.compute_loss(batch, training=True)
    return model, batch, np.mean(weights * (np.array([5, 3, 1, 2.0]) - model(batch).numpy()) ** 2)


def sequences(weights):
    model = SequentialRetrieval(item="item", history="history", embedding_dim=4, seed=1)
    history = tf.ragged.constant([["w"], ["w", "x"], ["y"], ["z", "x"]])
    batch = {"history": history, "item": tf.constant(ITEM)}
    model.compute_loss(batch, training=True)
    return model, batch, np.sum(weights * softmax_losses(*model(batch)))


def several_tasks(weights):
    model = MultiTaskModel(["y", "z"], categories=["user"], seed=1)
    lacking = np.array([np.nan, 1, 1, 0], "float32")
    batch = {"user": PAIRS["user"], "y": tf.constant(LABEL), "z": tf.constant(lacking)}
    model.compute_loss(batch, training=True)
    logits = model.logits(batch)
    want = np.mean(weights * cross_entropies(logits["y"], LABEL))
    other = weights[1:] * cross_entropies(logits["z"][1:], lacking[1:])
    return model, batch, want + np.mean(other)


def several_domains(weights):
    model = CrossDomain(["d", "e"], ["y"], categories=["user"], domain_weights={"e": 3.0}, seed=1)
    batch = {"user": PAIRS["user"], "y": tf.constant(LABEL), "domain": tf.constant(list("dede"))}
    model.compute_loss(batch, training=True)
    losses = cross_entropies(model.logits(batch)["y"], LABEL)
    return model, batch, np.mean(weights * np.array([1, 3, 1, 3]) * losses)


def lists(weights):
    model = Ranker(RankingFeatures(examples=[RankingFeature("price")]), seed=1)
    batch = {
        "price": tf.constant(np.arange(8.0).reshape(4, 2), tf.float32),
        "label": tf.constant([[1.0, 0], [0, 1], [0, 1], [1, 0]]),
        "mask": tf.ones((4, 2), tf.bool),
    }
    alone = [
        float(model.compute_loss(keras.tree.map_structure(lambda x, i=i: x[i : i + 1], batch)))
        for i in range(ROWS)
    ]
    return model, batch, np.mean(weights * alone)


def graph(weights):
    model = LightGCN(user="user", items="item", embedding_dim=3, seed=1)
    model.set_graph(LOG)
    batch = {
        "user": tf.constant(list("abc")),
        "item": tf.ragged.constant([["w", "z"], ["x"], ["y"]]),
    }
    model.compute_loss(batch, training=True)
    alone = [
        float(model.compute_loss({name: column[i : i + 1] for name, column in batch.items()}))
        for i in range(3)
    ]
    counts = np.array([2, 1, 1]) ** (1 - model.user_weight)
    share = weights[:3] * counts / np.sum(weights[:3] * counts)
    return model, batch, np.sum(share * alone)


MODELS = [two_tower, rating, sequences, several_tasks, several_domains, lists, graph]
LABELS = {rating: "rating", several_domains: "y", lists: "label"}


def rows_of(batch):
    return 3 if batch.get("item") is not None and "history" not in batch and isinstance(
        batch["item"], tf.RaggedTensor
    ) else ROWS  # fmt: skip


@pytest.mark.parametrize("make", MODELS)
def test_the_loss_is_the_formulas(make):
    model, batch, want = make(WEIGHTS)
    weights = tf.constant(WEIGHTS[: rows_of(batch)])
    found = model.compute_loss({**batch, "sample_weight": weights})
    np.testing.assert_allclose(found, want, rtol=1e-5)
    # The same as Keras has them.
    columns = dict(batch)
    labels = tf.ones_like(weights)
    if make in LABELS:
        labels = columns.pop(LABELS[make])
    elif make is several_tasks:
        labels = {name: columns.pop(name) for name in ("y", "z")}
    np.testing.assert_allclose(model.compute_loss((columns, labels, weights)), found, rtol=1e-6)
    ones = model.compute_loss({**batch, "sample_weight": tf.ones_like(weights)})
    np.testing.assert_allclose(ones, model.compute_loss(batch), rtol=1e-6)


@pytest.mark.parametrize(
    "how", [{"positions": "all"}, {"negatives": 2, "negatives_from": "batch"}, {"negatives": 3}]
)
def test_a_row_counts_at_all_of_its_positions_and_against_drawn_items(how):
    model = SequentialRetrieval(item="item", history="history", embedding_dim=4, seed=1, **how)
    model.set_popularity({"w": 1, "x": 1, "y": 1, "z": 1})
    _, batch, _ = sequences(WEIGHTS)
    model.compute_loss(batch, training=True)
    whole = float(model.compute_loss({**batch, "sample_weight": tf.ones(ROWS)}))
    none = model.compute_loss({**batch, "sample_weight": tf.zeros(ROWS)})
    np.testing.assert_array_equal(none, 0.0)
    if "negatives" not in how:
        parts = [
            float(model.compute_loss({**batch, "sample_weight": tf.one_hot(row, ROWS)}))
            for row in range(ROWS)
        ]
        np.testing.assert_allclose(sum(parts), whole, rtol=1e-5)
        assert min(parts) > 0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.5])
@pytest.mark.parametrize("make", MODELS)
def test_weights_that_are_none_are_refused(make, wrong):
    model, batch, _ = make(WEIGHTS)
    weights = WEIGHTS[: rows_of(batch)].copy()
    weights[1] = wrong
    with pytest.raises(tf.errors.InvalidArgumentError, match="must hold finite numbers"):
        model.compute_loss({**batch, "sample_weight": tf.constant(weights)})


@pytest.mark.parametrize("make", [two_tower, sequences, graph])
def test_pairs_have_no_other_label_than_1(make):
    model, batch, _ = make(WEIGHTS)
    labels = np.ones(rows_of(batch), "float32")
    labels[0] = 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="Labels must be 1"):
        model.compute_loss((batch, tf.constant(labels)))
    with pytest.raises(ValueError, match="Labels must be 1"):
        model.compute_loss((batch, tf.constant(["x"] * len(labels))))


def test_fit_heeds_a_column_of_weights():
    rows = Interactions({"user": USER, "item": ITEM, "count": WEIGHTS, "page": [1, 2, 3, 4]})
    data = rows.to_dataset(["user", "item"], batch_size=4, weights="count")
    assert data.element_spec["sample_weight"].dtype == tf.float32
    assert set(data.element_spec) == {"user", "item", "sample_weight"}
    losses = []
    pairs = data.map(
        lambda b: ({k: b[k] for k in ("user", "item")}, tf.ones(4), b["sample_weight"])
    )
    for way in (data, pairs):
        model, _, want = two_tower(WEIGHTS)
        model.compile("sgd")
        losses.append(model.fit(way, verbose=0).history["loss"][0])
    assert losses[0] == losses[1]
    np.testing.assert_allclose(losses[0], want / ROWS, rtol=1e-5)
    for bad in ([1, 2, -1, 0], [1.0, np.nan, 1, 1]):
        with pytest.raises(ValueError, match="Column 'w' must hold"):
            Samples({"user": USER, "w": bad}).to_dataset(batch_size=2, weights="w")


def test_a_batch_of_another_form_is_told():
    model, batch, _ = two_tower(WEIGHTS)
    with pytest.raises(ValueError, match="must be a dict of columns"):
        model.compute_loss(tf.ones(3))
    weights = tf.constant(WEIGHTS)
    with pytest.raises(ValueError, match="must have each column once"):
        model.compute_loss(({**batch, "sample_weight": weights}, tf.ones(4), weights))
