"""The signatures of a two-tower model, from raw ids to titles, as a server runs them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs.models
from recs.export import retrieval_signatures, saved_model
from recs.layers import DynamicEmbedding
from recs.layers.factorized_top_k import IVF, BruteForce
from tests.export import serving

USERS, FILMS = np.arange(100, 130), np.array([10, 20, 30, 40, 50, 60, 70, 80, 90, 99, 98, 97])
TITLES = {int(film): f"Film {film}" for film in FILMS[1:]}


class TwoTower(recs.models.Model):
    def __init__(self, rng, index=None, **arguments):
        super().__init__()
        self.users = DynamicEmbedding(4)
        self.users.table.upsert(USERS, rng.normal(size=(len(USERS), 4)))
        self.query_model = keras.Sequential(
            [keras.Input((), dtype="int64"), self.users, keras.layers.Dense(3)]
        )
        self.candidate_model = DynamicEmbedding(3)
        self.candidate_model.table.upsert(FILMS, rng.normal(size=(len(FILMS), 3)))
        self.index = (index or BruteForce()).index(self.candidate_model(FILMS), FILMS)
        self.arguments = arguments

    def serving_signatures(self):
        return retrieval_signatures(
            self.query_model, self.candidate_model, self.index, "int64", **self.arguments
        )


def expected(model, users, k):
    """Scores by NumPy from the two matrices."""
    queries = model.users.table.lookup(users) @ model.query_model.layers[-1].kernel.numpy()
    scores = queries @ model.candidate_model.table.lookup(FILMS).T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return FILMS[order], np.take_along_axis(scores, order, axis=1)


@pytest.mark.slow
def test_a_server_answers_all_four(tmp_path, rng):
    model = TwoTower(rng, titles=TITLES, query_name="user_id", candidate_name="film_id")
    path = model.export(tmp_path / "1")
    users = np.array([105, 129, 100, 7])  # the last is unknown: zeros before the dense layer
    out = np.array([[10, 20], [99, 99], [1, 2], [98, 97]])
    few = np.array([[30, 10, 30], [97, 7, 7], [40, 50, 60], [20, 99, 10]])
    more = [
        (
            path,
            "top_k_excluding",
            {"user_id": users, "exclusions": out, "k": np.array(4, np.int32)},
        ),
        (path, "top_k_among", {"user_id": users, "inclusions": few, "k": np.array(2, np.int32)}),
    ]
    requests = [
        (path, "serving_default", {"user_id": users}),
        (path, "top_k", {"user_id": users, "k": np.array(3, np.int32)}),
        (path, "embed_query", {"user_id": users}),
        (path, "embed_candidate", {"film_id": np.array([20, 21])}),
        *more,
    ]
    for answers in (
        serving.ask_without_recs(requests, tmp_path),
        serving.ask_c_api(requests, tmp_path),
    ):
        for answer, k in zip(answers[:2], (10, 3), strict=True):
            ids, scores = expected(model, users, k)
            np.testing.assert_array_equal(answer["ids"][:3], ids[:3])
            np.testing.assert_allclose(answer["scores"], scores, atol=1e-5)
            titles = [[TITLES.get(i, "").encode() for i in row] for row in answer["ids"].tolist()]
            assert answer["titles"].tolist() == titles
        assert {b"", b"Film 20"} < set(answers[0]["titles"].reshape(-1))
        np.testing.assert_allclose(answers[2]["embedding"], model.query_model(users), atol=1e-6)
        rows = model.candidate_model.table.lookup([20])[0]
        np.testing.assert_allclose(answers[3]["embedding"], [rows, [0] * 3], atol=1e-6)
        order = expected(model, users, len(FILMS))[0]
        for row in range(3):
            left = [film for film in order[row] if film not in out[row]]
            assert answers[4]["ids"][row].tolist() == left[:4]
            named = [film for film in order[row] if film in few[row]]
            found = answers[5]["scores"][row] > -1e30
            assert answers[5]["ids"][row][found].tolist() == named[:2]


@pytest.mark.slow
def test_an_index_of_lists_is_served_without_recs(tmp_path, rng):
    model = TwoTower(rng, IVF(lists=3, probes=12), k=4)  # all lists: what is found is exact
    path = model.export(tmp_path / "1")
    users = np.array([105, 129, 100])
    ids, scores = expected(model, users, 12)
    requests = [
        (path, "serving_default", {"query_id": users}),
        (path, "top_k_excluding", {"query_id": users, "exclusions": ids[:, :2], "k": np.int32(3)}),
        (path, "top_k_among", {"query_id": users, "inclusions": ids[:, ::-1], "k": np.int32(5)}),
    ]
    best, left, among = serving.ask_without_recs(requests, tmp_path)
    for answer, places in ((best, slice(0, 4)), (left, slice(2, 5)), (among, slice(0, 5))):
        np.testing.assert_array_equal(answer["ids"], ids[:, places])
        np.testing.assert_allclose(answer["scores"], scores[:, places], rtol=1e-5)


def test_serving_default_takes_only_batched_tensors(tmp_path, rng):
    path = TwoTower(rng).export(tmp_path / "1")
    inputs = serving.meta_graph(path).signature_def["serving_default"].inputs
    assert {k: [d.size for d in v.tensor_shape.dim] for k, v in inputs.items()} == {
        "query_id": [-1]
    }
    assert set(serving.meta_graph(path).signature_def["top_k"].inputs) == {"query_id", "k"}


def test_features_string_ids_and_an_index_that_embeds(tmp_path, rng):
    user, age = keras.Input((), dtype="string", name="user"), keras.Input((1,), name="age")
    embedding = DynamicEmbedding(3, key_dtype="string")
    embedding.table.upsert(["ann", "bob"], rng.normal(size=(2, 3)))
    query_model = keras.Model({"user": user, "age": age}, embedding(user) * age)
    index = BruteForce(query_model, k=2).index(rng.normal(size=(5, 3)), np.array(list("abcde")))
    specs = {"user": tf.TensorSpec([None], tf.string), "age": tf.TensorSpec([None, 1], tf.float32)}
    signatures = retrieval_signatures(query_model, None, index, specs, titles={"a": "Alien"})
    assert set(signatures) == {
        "serving_default", "top_k", "top_k_excluding", "top_k_among", "embed_query",
    }  # fmt: skip
    path = saved_model(index, tmp_path / "1", signatures=signatures)
    batch = {"user": tf.constant(["bob", "cem"]), "age": tf.constant([[2.0], [1.0]])}
    scores, ids = index(batch, k=5)
    loaded = tf.saved_model.load(str(path)).signatures
    found = loaded["serving_default"](**batch)  # five candidates: all of them
    np.testing.assert_array_equal(found["ids"], ids)
    np.testing.assert_allclose(found["scores"], scores, rtol=1e-6)
    titles = np.where(ids.numpy() == b"a", b"Alien", b"")
    np.testing.assert_array_equal(found["titles"], titles)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`k` must not exceed the number of"):
        loaded["top_k"](**batch, k=tf.constant(6))


def test_an_index_that_cannot_be_served(rng):
    tower = DynamicEmbedding(3)
    with pytest.raises(ValueError, match=r"`index` must hold the candidates. Received: no cand"):
        retrieval_signatures(tower, None, BruteForce(name="films"))
    other = BruteForce(keras.layers.Identity(name="other"), name="films").index(np.eye(3))
    with pytest.raises(
        ValueError, match=r"`query_model` must be that of the index, .*\(in index 'f"
    ):
        retrieval_signatures(tower, None, other)
