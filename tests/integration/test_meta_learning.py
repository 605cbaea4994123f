"""The three uses of towers that adapt: two towers, sequences, and ranking by several labels."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.layers.blocks import MLP
from recs.layers.loss import QueuedSoftmax
from recs.layers.multi_task import MMoE
from recs.models import MetaLearner, MultiTaskModel, TwoTower
from tests.models.meta_models import tensors

KINDS, ITEMS, EACH = 4, 40, 12  # items of a kind have numbers that are equal modulo `KINDS`


def fans(rng, first, users=24):
    """Returns what users chose who each like one kind of item, which follows from no number."""
    kind = rng.integers(0, KINDS, users)
    items = rng.integers(0, ITEMS // KINDS, (users, EACH)) * KINDS + kind[:, None]
    return kind, np.repeat(np.arange(users) + first, EACH), items.ravel()


def learnt(model, batch, epochs):
    data = tf.data.Dataset.from_tensor_slices(batch).batch(96)
    model.fit(data, epochs=epochs, verbose=0)


def hits(ids, kind):
    return float(np.mean(np.asarray(ids) % KINDS == kind[:, None]))


@pytest.mark.slow
def test_two_towers_find_what_a_new_user_likes(rng, tmp_path):
    keras.utils.set_random_seed(1)
    model = TwoTower(embedding_dim=8, units=[8, 8], id_dtype="int64", seed=1)
    loss = QueuedSoftmax(size=256, dim=8)
    learner = MetaLearner(
        model, loss=loss, inner_rate=2.0, inner_steps=3, id_dtype="int64", seed=1, query=6
    )
    learner.compile(keras.optimizers.Adam(0.01))
    _, users, items = fans(rng, 0)
    learnt(learner, {"user_id": users, "item_id": items}, 25)
    model.index(np.arange(ITEMS))
    kind, users, items = fans(rng, 1000)
    learner.forget().remember({"user_id": users, "item_id": items})
    new = tf.constant(np.unique(users))
    serve = tf.saved_model.load(str(learner.export(tmp_path / "1"))).signatures["serving_default"]
    found = {
        on: hits(serve(user_id=new, adapt=tf.fill([len(new)], on))["ids"], kind)
        for on in (True, False)
    }
    # All new users have the same vector, until the tower is adapted.
    assert found[False] < 0.35
    assert found[True] > found[False] + 0.15


class NextItem(recs.Model):
    """Finds what follows an item; the history says what, for this user, follows what."""

    def __init__(self):
        super().__init__()
        self.items = recs.layers.DynamicEmbedding(
            8, keras.initializers.RandomNormal(stddev=0.5), seed=1
        )
        self.tower = MLP([16, 8], activation="tanh", name="tower")
        self.tower.build((None, 8))
        self.tower_loss = QueuedSoftmax(size=256, dim=8)
        self.columns = ["history"]

    def call(self, inputs):
        return self.tower(self.items(inputs["history"])[:, -1])

    def tower_labels(self, inputs):
        return {"tower": self.items(inputs["item"])}

    def tower_support(self, inputs):
        vectors = self.items(inputs["history"])
        mask = keras.ops.ones(keras.ops.shape(inputs["history"][:, 1:]), "bool")
        return {"tower": (vectors[:, :-1], vectors[:, 1:], mask)}

    def compute_loss(self, inputs, training=False):
        labels = self.tower_labels(inputs)["tower"]
        return keras.ops.mean(self.tower_loss(labels, self(inputs)))


def walks(rng, users):
    """Returns histories, what follows them, and its kind: a user goes one kind up, or stays."""
    step = rng.integers(0, 2, users)[:, None]
    kind = (rng.integers(0, KINDS, (users, 1)) + step * np.arange(EACH)) % KINDS
    items = rng.integers(0, ITEMS // KINDS, kind.shape) * KINDS + kind
    return items[:, :-1], items[:, -1], kind[:, -1]


@pytest.mark.slow
def test_a_history_is_the_support_of_what_follows_it(rng, tmp_path):
    keras.utils.set_random_seed(2)
    learner = MetaLearner(NextItem(), task=None, inner_rate=0.5, inner_steps=5, seed=1)
    learner.compile(keras.optimizers.Adam(0.01))
    history, item, _ = walks(rng, 256)
    data = tf.data.Dataset.from_tensor_slices({"history": history, "item": item}).batch(32)
    logs = learner.fit(data, epochs=60, verbose=0).history
    assert logs["tasks"][-1] == 32
    history, _, kind = walks(rng, 100)
    vectors = learner.model.items(np.arange(ITEMS)).numpy()

    def share(on):
        asked = {"history": tf.constant(history), "adapt": tf.fill([len(history)], on)}
        return hits(np.argsort(-(learner(asked).numpy() @ vectors.T))[:, :5], kind)

    print(share(True), share(False))
    assert share(False) < 0.65  # on or not: the last item does not tell
    assert share(True) > share(False) + 0.15
    inputs = {"history": history, "adapt": np.ones(len(history), bool)}
    serve = tf.saved_model.load(str(learner.export(tmp_path / "1", input_signature=inputs)))
    (served,) = serve.signatures["serving_default"](**tensors(inputs)).values()
    np.testing.assert_allclose(served, learner(tensors(inputs)), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_towers_of_mixtures_adapt_in_serving_alone_or_in_training_too(rng, tmp_path, weight):
    keras.utils.set_random_seed(3)
    tasks = ["click", "buy"]
    model = MultiTaskModel(tasks, MMoE(tasks, 2, (8,)), categories=["item"], seed=1)
    learner = MetaLearner(
        model, meta_weight=weight, inner_rate=0.5, inner_steps=5, support=6, query=6, seed=1
    )
    learner.compile(keras.optimizers.Adam(0.01))

    def rows(first):
        # Each user clicks one kind; who buys, buys whatever they click.
        kind, users, _ = fans(rng, first)
        items = rng.integers(0, ITEMS, users.shape)
        click = (items % 2 == kind[users - first] % 2).astype("float32")
        buy = np.where(click > 0, kind[users - first] > 1, np.nan).astype("float32")
        text = {"user_id": users, "item": items}
        return {n: v.astype(str).astype(object) for n, v in text.items()} | {
            "click": click, "buy": buy
        }  # fmt: skip

    learnt(learner, rows(0), 30)
    new = rows(1000)
    first = np.arange(len(new["click"])) % EACH < EACH // 2
    learner.forget().remember({n: v[first] for n, v in new.items()})
    asked = tensors({n: new[n][~first] for n in ("user_id", "item")})
    serve = tf.saved_model.load(str(learner.export(tmp_path / "1"))).signatures["serving_default"]

    def area(task, on):
        told = serve(**asked, adapt=tf.fill(asked["item"].shape, on))[task].numpy()
        there = ~np.isnan(new[task][~first])
        return recs.evaluation.area_under_curve(new[task][~first][there], told[there])

    for task in tasks:
        assert area(task, True) > area(task, False) + 0.1, task
