"""Fewer items than asked for, users whom training has not seen, and categories that are none."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.dense_chain import running
from recs.layers.factorized_top_k import IVF, BruteForce, Streaming
from recs.models import Tower, TwoTower

LOWEST = np.finfo("float32").min


@pytest.fixture(scope="module")
def model():
    model = TwoTower(user="user", item="item", embedding_dim=2, item_bias=True, seed=1)
    model.candidate_tower.bias_embedding.table.upsert(["a", "b", "c"], [[1.0], [3.0], [2.0]])
    return model.index(["a", "b", "c"])


def test_a_new_user_gets_what_most_like_and_no_more_items_than_are_left(model):
    assert model.recommend(["new"], k=9).ids.tolist() == [["b", "c", "a"]]
    found = model.recommend(["new", "other"], k=3, exclude=[["b", "c"], ["a"]])
    assert found.ids.tolist() == [["a", ""], ["b", "c"]]
    assert found.scores.tolist() == [[1.0, LOWEST], [3.0, 2.0]]
    assert model.recommend(["new"], exclude=[["a", "b", "c"]]).ids.shape == (1, 0)
    assert model.recommend([], k=2).ids.shape[0] == 0


@pytest.mark.parametrize(
    "arguments", [{}, {"units": [3]}, {"normalize": True}, {"user_features": ["country"]}]
)
def test_a_new_user_of_whom_nothing_is_known_is_an_error_and_filler_in_an_export(arguments):
    model = TwoTower(user="user", item="item", embedding_dim=2, seed=1, **arguments)
    tower, others = model.query_tower, {n: [["?"], ["?"]] for n in model.query_tower.features}
    tower.embedding.table.upsert(["old"], [[1.0, 2.0]])
    model.candidate_tower.embedding.table.upsert(["a", "b"], [[1.0, 0.0], [0.0, 1.0]])
    model.index(["a", "b"])
    asked = {"user": ["old", "new"], **others}
    with pytest.raises(
        ValueError, match=r"must have an id or a feature that training has seen.*'new'"
    ):
        model.recommend(asked)
    served = model.serving_signatures()["serving_default"]
    found = served({name: tf.constant(column) for name, column in asked.items()})
    known = {name: column[:1] for name, column in asked.items()}
    assert found["ids"][0].numpy().astype(str).tolist() == model.recommend(known).ids[0].tolist()
    assert found["ids"][1].numpy().tolist() == [b"", b""]
    assert found["scores"][1].numpy().tolist() == [LOWEST, LOWEST]


def test_a_new_user_with_a_feature_that_is_known_gets_what_it_says():
    model = TwoTower(user="user", item="item", user_features=["f"], embedding_dim=2, seed=1)
    model.query_tower.feature_embeddings[0].table.upsert(["x"], [[1.0, 0.0]])
    model.candidate_tower.embedding.table.upsert(["a", "b"], [[0.0, 1.0], [1.0, 0.0]])
    model.index(["a", "b"])
    assert model.recommend({"user": ["new"], "f": ["x"]}).ids.tolist() == [["b", "a"]]
    served = model.serving_signatures()["serving_default"]
    found = served({"user": tf.constant(["new"]), "f": tf.constant([["x"]])})
    assert found["ids"].numpy().tolist() == [[b"b", b"a"]]


def test_dense_layers_that_a_meta_learner_adapts_answer_for_new_users():
    tower = Tower("user", 2, units=[2], seed=1)
    new = {"user": tf.constant(["new"])}
    assert tower.answers(new).numpy().tolist() == [False]
    with running({id(tower.dense[0]): lambda vectors: vectors}):
        assert tower.answers(new).numpy().tolist() == [True]
    assert tower.answers(new).numpy().tolist() == [False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"users": "u1"}, r"`users` must be a list of ids. Received: 'u1' .*recommend\(\['u1'\]\)"),
        ({"users": ["u1"], "k": 0}, "`k` must be a positive integer. Received: k=0"),
        ({"users": ["u1"], "exclude": ["a"]}, "`exclude` must have a list of ids for each user"),
        ({"users": ["u1"], "exclude": [["a"], ["b"]]}, "Received: 2 lists, 1 users"),
        ({"users": [["u1", "u2"]]}, r"Received: shape \(1, 2\)"),
        ({"users": [1.5]}, "Received: dtype float64"),
    ],
)
def test_wrong_arguments_are_named(arguments, message, model):
    with pytest.raises(ValueError, match=message):
        model.recommend(**arguments)


def _indices(ids):
    rows = np.eye(3, dtype="float32")
    data = tf.data.Dataset.from_tensor_slices((ids, rows)).batch(2)
    return [
        BruteForce(k=2).index(rows, ids),
        IVF(k=2, lists=1).index(rows, ids),
        Streaming(k=2).index_from_dataset(data),
    ]


@pytest.mark.parametrize(("ids", "filler"), [([7, 8, 9], -1), ([b"a", b"b", b"c"], b"")])
def test_every_index_ends_rows_in_the_filler_and_wants_a_row_per_query(ids, filler):
    queries = np.ones((1, 3), "float32")
    for index in _indices(tf.constant(ids, tf.int64 if filler == -1 else tf.string)):
        scores, found = index.query_with_exclusions(queries, [ids[:2]], k=3)
        assert found.numpy().tolist() == [[ids[2], filler, filler]]
        assert scores.numpy().tolist() == [[1.0, LOWEST, LOWEST]]
        unknown = -5 if filler == -1 else b"?"
        scores, found = index.query_with_inclusions(queries, [[unknown, ids[1]]], k=2)
        assert found.numpy().tolist() == [[ids[1], filler]]
        for query in (index.query_with_exclusions, index.query_with_inclusions):
            with pytest.raises(ValueError, match="with a row per query"):
                query(np.ones((2, 3), "float32"), [ids[:2]], k=1)


def test_more_than_the_candidates_is_the_same_error_whatever_is_asked():
    index = BruteForce().index(np.eye(3), np.array([7, 8, 9]))
    queries = np.ones((1, 3), "float32")
    for ask in (
        lambda k: index(queries, k=k),
        lambda k: index.query_with_exclusions(queries, [[7]], k=k),
        lambda k: index.query_with_inclusions(queries, [[7]], k=k),
    ):
        with pytest.raises(ValueError, match="must not exceed the number of candidates"):
            ask(4)
        with pytest.raises(ValueError, match="must be a positive integer"):
            ask(0)


@pytest.mark.parametrize(
    "values",
    [np.array([1e-7]), np.array([True]), np.array(["2026-01-01"], "datetime64[D]")],
    ids=["float", "bool", "datetime"],
)
def test_what_is_no_category_is_refused(values):
    model = TwoTower(user="user", item="item", user_features=["f"], seed=1)
    with pytest.raises(ValueError, match=r"Column .f. must hold categories.*numpy.digitize"):
        model.query_vectors({"user": ["u"], "f": values})


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"])
def test_integers_of_any_width_are_the_same_category(dtype):
    tower = Tower("user", 2, features=["f"], seed=1)
    tower.feature_embeddings[0].table.upsert(["7"], [[1.0, 2.0]])
    found = tower({"user": tf.constant(["u"]), "f": np.array([7], dtype)})
    assert found.numpy().tolist() == [[1.0, 2.0]]


def test_text_is_kept_byte_for_byte():
    model = TwoTower(user="user", item="item", user_features=["f"], embedding_dim=2, seed=1)
    words = ["\u00e9", "e\u0301", "E\u0301"]
    table = model.query_tower.feature_embeddings[0].table
    table.upsert(words, np.arange(6.0).reshape(3, 2))
    expected = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [0.0, 0.0]]
    words = [*words, ""]
    for kind in (np.array(words), np.array(words, object), np.array([w.encode() for w in words])):
        found = model.query_vectors({"user": ["u"] * 4, "f": kind})
        assert found.tolist() == expected
