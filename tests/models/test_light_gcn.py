from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.data import Interactions, by_user
from recs.models import LightGCN

# Item 9 twice for user 1: one edge of the graph, and two of the loss's terms.
LOG = Interactions(
    {"user": [1, 1, 1, 2, 2, 3, 4, 4], "item": [7, 9, 9, 7, 8, 8, 8, 6]},
)
USERS, ITEMS = [1, 2, 3, 4], [6, 7, 8, 9]


def made(**arguments):
    given = {"embedding_dim": 3, "temperature": 0.5, "id_dtype": "int64", "seed": 3, **arguments}
    return LightGCN(user="user", item="item", **given)


def with_embeddings(**arguments):
    """Returns a model and its embeddings, which are set here."""
    model = made(**arguments).set_graph(LOG)
    users, items = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    model.user_embedding.table.upsert(USERS, users)
    model.item_embedding.table.upsert(ITEMS, items)
    return model, users, items


def dense_vectors(users, items, layers):
    """Returns the vectors by products with the dense adjacency matrix."""
    edges = np.zeros((4, 4), "float32")
    edges[[USERS.index(u) for u in LOG.user], [ITEMS.index(i) for i in LOG.item]] = 1
    scale = np.sqrt(edges.sum(1, keepdims=True) * edges.sum(0, keepdims=True))
    matrix = tf.constant(edges / scale)
    total_u, total_i, u, i = users, items, users, items
    for _ in range(layers):
        u, i = matrix @ i, tf.transpose(matrix) @ u
        total_u, total_i = total_u + u, total_i + i
    return tf.math.l2_normalize(total_u, 1), tf.math.l2_normalize(total_i, 1)


def dense_scores(users, items, layers, popularity=0.0):
    q, c = dense_vectors(users, items, layers)
    return q @ tf.transpose(c) + popularity * np.log([1, 2, 3, 2]).astype("float32")


def dense_loss(users, items, layers, user_weight, batch=USERS, popularity=0.0, recency=0.0):
    """Returns the loss, pair by pair."""
    logs = tf.nn.log_softmax(dense_scores(users, items, layers, popularity) / 0.5, axis=1)
    total, weights = 0.0, 0.0
    for user in batch:
        own = LOG.item[LOG.user == user].tolist()
        shares = np.exp(recency * (np.arange(len(own)) + 0.5) / len(own))
        weight = len(own) ** (1 - user_weight)
        weights += weight
        for item, share in zip(own, shares / shares.sum(), strict=True):
            total -= weight * share * logs[USERS.index(user), ITEMS.index(item)]
    return total / weights


@pytest.mark.parametrize(
    ("layers", "others"),
    [
        (0, {}),
        (1, {"user_weight": 0.5, "popularity": 0.3}),
        (3, {"user_weight": 1.0, "recency": 2.0}),
    ],
)
def test_the_loss_is_the_softmax_over_the_catalogue(layers, others):
    model, users, items = with_embeddings(num_layers=layers, **others)
    batch = next(iter(by_user(LOG).to_dataset(["user", "items"], batch_size=4)))
    expected = dense_loss(users, items, layers, **{"user_weight": 0.0, **others})
    np.testing.assert_allclose(model.compute_loss(batch), expected, rtol=1e-5)


def test_a_step_follows_the_gradient_through_the_graph():
    model, users, items = with_embeddings(num_layers=2)
    model.compile(optimizer=keras.optimizers.SGD(0.7))
    rows = by_user(LOG).take([0, 2])
    model.fit(rows.to_dataset(["user", "items"], batch_size=2), epochs=1, verbose=0)
    u, i = tf.Variable(users), tf.Variable(items)
    with tf.GradientTape() as tape:
        loss = dense_loss(u, i, 2, 0.0, batch=[1, 3])
    gradients = tape.gradient(loss, [u, i])
    for layer, ids, start, gradient in (
        (model.user_embedding, USERS, users, gradients[0]),
        (model.item_embedding, ITEMS, items, gradients[1]),
    ):
        now = layer(np.array(ids)).numpy()
        np.testing.assert_allclose(now, start - 0.7 * gradient.numpy(), rtol=1e-4, atol=1e-6)


def test_what_the_graph_does_not_have_is_left_out():
    model, users, items = with_embeddings(num_layers=1)
    liked = tf.ragged.constant([[7, 5, 9, 9], [8], [6]], dtype=tf.int64)
    batch = {"user": tf.constant([1, 11, 12], tf.int64), "items": liked}
    expected = dense_loss(users, items, 1, 0.0, batch=[1])
    np.testing.assert_allclose(model.compute_loss(batch), expected, rtol=1e-5)
    nobody = {"user": batch["user"][1:], "items": liked[1:]}
    assert float(model.compute_loss(nobody)) == 0.0


def test_its_vectors_are_those_that_were_spread():
    model, users, items = with_embeddings(num_layers=2)
    model.index(ITEMS)
    expected = dense_vectors(users, items, 2)
    np.testing.assert_allclose(model.query_vectors(USERS), expected[0], atol=1e-6)
    np.testing.assert_allclose(model.candidate_vectors(ITEMS), expected[1], atol=1e-6)
    assert not model.candidate_vectors([5]).any()
    best = np.argsort(-(expected[0] @ tf.transpose(expected[1])).numpy(), axis=1)
    answer = model.recommend(USERS, k=4)
    assert answer.ids.tolist() == np.array(ITEMS)[best].tolist()


@pytest.mark.parametrize("timed", [False, True])
def test_users_move_towards_their_newest_items(timed):
    model, users, items = with_embeddings(num_layers=1, popularity=0.5, last_items=0.7)
    if timed:  # the other way round
        model.set_graph(Interactions({**LOG.columns, "timestamp": np.arange(8)[::-1].copy()}))
    expected, vectors = (x.numpy() for x in dense_vectors(users, items, 1))
    for row, user in enumerate(USERS):
        own = LOG.item[LOG.user == user]
        own = own if timed else own[::-1]
        shares = 0.5 ** np.arange(len(own))
        places = [ITEMS.index(item) for item in own]
        expected[row] += 0.7 * np.average(vectors[places], axis=0, weights=shares)
        expected[row] /= np.linalg.norm(expected[row])
    model.index(ITEMS)
    # The last number of a query is what the popularity of a candidate is multiplied by.
    np.testing.assert_allclose(model.query_vectors(USERS)[:, :3], expected, atol=1e-6)


def test_popular_items_come_first_where_cosines_are_near():
    model, users, items = with_embeddings(num_layers=1, popularity=2.0)
    scores = dense_scores(users, items, 1, 2.0).numpy()
    plain = dense_scores(users, items, 1).numpy()
    assert (np.argsort(-scores) != np.argsort(-plain)).any()
    answer = model.index(ITEMS).recommend(USERS, k=4)
    assert answer.ids.tolist() == np.array(ITEMS)[np.argsort(-scores)].tolist()
    np.testing.assert_allclose(answer.scores, -np.sort(-scores), atol=1e-6)


@pytest.mark.slow
def test_it_is_saved_with_its_vectors(tmp_path):
    model = made(num_layers=1, popularity=0.1).set_graph(LOG)
    model.compile(optimizer=keras.optimizers.Adam(0.1))
    model.fit(by_user(LOG).to_dataset(["user", "items"], batch_size=2), epochs=3, verbose=0)
    model.index(ITEMS)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded.query_vectors(USERS), model.query_vectors(USERS))
    assert loaded.recommend([4], k=3).ids.tolist() == model.recommend([4], k=3).ids.tolist()
    rows = by_user(LOG).to_dataset(["user", "items"], batch_size=4)
    with pytest.raises(ValueError, match="set_graph"):
        loaded.fit(rows, verbose=0)
    again = loaded.set_graph(LOG).evaluate(rows, return_dict=True, verbose=0)["loss"]
    assert again == pytest.approx(model.evaluate(rows, return_dict=True, verbose=0)["loss"])


def test_a_new_graph_counts_at_once():
    model, users, items = with_embeddings(num_layers=1)
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    rows = by_user(LOG).to_dataset(["user", "items"], batch_size=4)
    before = model.evaluate(rows, return_dict=True, verbose=0)["loss"]
    model.set_graph(LOG.take(slice(0, 7)))
    after = model.evaluate(rows, return_dict=True, verbose=0)["loss"]
    assert before == pytest.approx(float(dense_loss(users, items, 1, 0.0)), rel=1e-5)
    assert abs(before - after) > 1e-3


@pytest.mark.parametrize(
    "wrong",
    [{"num_layers": -1}, {"temperature": 0.0}, {"stddev": 0.0}, {"last_items": -0.1}],
    ids=str,
)
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        made(**wrong)


@pytest.mark.parametrize(
    ("columns", "received"),
    [
        ({"user": ["u"]}, "no such column; the columns are user"),
        ({"user": ["u"], "items": [["a"]]}, r"shape \(1, 1\)"),
    ],
)
def test_batches_that_are_not_of_users_are_refused(columns, received):
    log = Interactions({"user": ["u"], "item": ["a"]})
    model = LightGCN(user="user", item="item", embedding_dim=2, seed=1).set_graph(log)
    columns = {name: tf.constant(values) for name, values in columns.items()}
    with pytest.raises(ValueError, match=f"must hold the list .*Received: {received}.*by_user"):
        model.compute_loss(columns)
