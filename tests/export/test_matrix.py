"""Every model and way out: rows at once equal rows one by one and the model in Python."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
from recs.experimental.models import Ranking
from recs.layers import DynamicEmbedding, EmbeddingCollection, FeatureConfig, TableConfig
from recs.layers.blocks import MLP
from recs.models import (
    CrossDomain,
    LightGCN,
    MetaLearner,
    MultiTaskModel,
    Ranker,
    RatingModel,
    SequentialRetrieval,
    TwoTower,
)  # fmt: skip
from tests.harness.tiers import slow_but

N = 3
USERS, ITEMS = ["u1", "u2", "u3"], ["x", "y", "z"]
COUNTRIES, AGES = ["de", "fr", "de"], [20, 30, 40]
LOG = {"user": USERS, "item": ITEMS, "country": COUNTRIES, "age": AGES, "stars": [1.0, 5.0, 3.0]}
WAYS: dict[str, dict[str, Any]] = {
    "model.export": {}, "compiled": {"stock_ops": False},
    "float16": {"row_dtype": "float16"}, "int8": {"row_dtype": "int8"},
}  # fmt: skip


@dataclasses.dataclass
class Case:
    """A trained model, the rows of a request, and what Python says of them."""

    model: Any
    rows: dict[str, Any]
    expected: Callable[[dict[str, Any]], Any]
    output: str


def _fit(model, columns, **compiled):
    model.compile(keras.optimizers.Adagrad(0.5), **compiled)
    model.fit(tf.data.Dataset.from_tensor_slices(columns).batch(N), epochs=2, verbose=0)
    return model


def _best(model, rows):
    return model.recommend(rows, k=N).scores


def two_tower():
    model = TwoTower(user="user", item="item", user_features=["country", "age"], item_bias=True,
                     embedding_dim=4, seed=1)  # fmt: skip
    _fit(model, LOG).index(ITEMS)
    rows = {name: tf.constant(LOG[name]) for name in ("user", "country")}
    rows["age"] = tf.constant(AGES, tf.int64)
    return Case(model, rows, functools.partial(_best, model), "scores")


def sequential():
    encoder = recs.layers.sequence.GRU4Rec(seed=1)
    model = SequentialRetrieval(encoder, item="item", embedding_dim=4, seed=1)
    history = tf.constant([["x", "y"], ["y", "z"], ["z", "x"]])
    _fit(model, {"history": history, "item": ITEMS}).index(ITEMS)
    rows = {"history": history, "history_lengths": tf.constant([2, 1, 2], tf.int64)}

    def expected(sent):
        return model.top_k(model.query_tower(sent), k=N)[0]

    return Case(model, rows, expected, "scores")


def light_gcn():
    log = recs.data.Interactions({"user": USERS * 2, "item": ITEMS + ITEMS[::-1]})
    model = LightGCN(user="user", item="item", embedding_dim=4, seed=1).set_graph(log)
    model.compile(keras.optimizers.Adagrad(0.5))
    model.fit(recs.data.by_user(log).to_dataset(["user", "items"], batch_size=N), verbose=0)
    model.index(ITEMS)
    return Case(model, {"user": tf.constant(USERS)}, functools.partial(_best, model), "scores")


def rating():
    model = RatingModel(user="user", item="item", rating="stars", user_features=["age"],
                        item_features=["country"], embedding_dim=4, seed=1)  # fmt: skip
    _fit(model, LOG)
    rows = {name: tf.constant(LOG[name]) for name in ("user", "item", "country")}
    rows["age"] = tf.constant(AGES, tf.int64)
    return Case(model, rows, model.predict_ratings, "rating")


def multi_task():
    model = MultiTaskModel(["a", "b"], categories=["country"], numbers=["stars"], seed=1)
    _fit(model, {"country": COUNTRIES, "stars": LOG["stars"], "a": [0.0, 1, 1], "b": [1.0, 0, 1]})
    rows = {"country": tf.constant(COUNTRIES), "stars": tf.constant(LOG["stars"])}
    return Case(model, rows, lambda sent: model(sent)["a"], "a")


def cross_domain():
    model = CrossDomain(["p", "q"], ["a"], categories=["user", "age"], numbers=["stars"], seed=1)
    rows = {"domain": tf.constant(["p", "q", "p"]), "user": tf.constant(USERS),
            "age": tf.constant(AGES, tf.int64), "stars": tf.constant(LOG["stars"])}  # fmt: skip
    _fit(model, {**rows, "a": [0.0, 1.0, 1.0]})
    return Case(model, rows, lambda sent: model(sent)["a"], "a")


def meta_learner():
    tower = RatingModel(user=None, item="item", rating="stars", embedding_dim=4, seed=1)
    model = MetaLearner(tower, task="user", seed=1)
    _fit(model, {name: LOG[name] for name in ("user", "item", "stars")})
    rows = {"user": tf.constant(USERS), "item": tf.constant(ITEMS),
            "adapt": tf.constant([True, False, True])}  # fmt: skip
    return Case(model, rows, model, "rating")


def ranker():
    features = RankingFeatures([RankingFeature("user", "ids")], [RankingFeature("price")])
    lists = RankingLists(features, {"user": [1, 2, 3]},
                         {"price": np.arange(6.0), "label": [0, 1, 1, 0, 0, 1]},
                         row_splits=[0, 2, 4, 6])  # fmt: skip
    model = Ranker(features, seed=1)
    model.compile(keras.optimizers.Adagrad(0.1))
    model.fit(lists.to_dataset(batch_size=N), verbose=0)
    batch = next(iter(lists.to_dataset(batch_size=N)))
    rows = {name: batch[name] for name in ("user", "price", "mask")}
    return Case(model, rows, model, "output")


def experimental():
    ad = FeatureConfig("ad", TableConfig("ads", 4, key_dtype="string", seed=1), combiner="mean")
    model = Ranking(EmbeddingCollection([ad]), MLP([4]), top_stack=MLP([1]))
    dense, ids = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), tf.constant(USERS)
    model.compile(keras.optimizers.Adagrad(0.1))
    x = {"dense_features": dense, "sparse_features": {"ad": ids}}
    model.fit(tf.data.Dataset.from_tensors((x, np.array([1.0, 0.0, 1.0]))), verbose=0)

    def expected(sent):
        sparse = {"ad": sent["sparse_features_ad"]}
        return model({"dense_features": sent["dense_features"], "sparse_features": sparse})

    return Case(model, {"dense_features": dense, "sparse_features_ad": ids}, expected, "output_0")


class Subclass(recs.Model):
    """A user's own model, whose look-up pools the last axis."""

    def __init__(self):
        super().__init__()
        self.users = DynamicEmbedding(1, key_dtype="string", combiner="mean", seed=1)

    def call(self, inputs, training=False):
        return self.users(inputs["user"], training=training)

    def compute_loss(self, inputs, training=False):
        return tf.reduce_sum((self(inputs, training=training) - 1.0) ** 2)


def subclass():
    model = _fit(Subclass(), {"user": USERS})
    return Case(model, {"user": tf.constant(USERS)}, model, "output_0")


def functional():
    user = keras.Input((), dtype="string", name="user")
    layer = DynamicEmbedding(2, key_dtype="string", combiner="mean", seed=1)
    model = recs.Model(user, keras.layers.Dense(1)(layer(user)))
    model.compile(keras.optimizers.Adagrad(0.1), "mse")
    model.fit(tf.constant(USERS), np.ones((N, 1)), verbose=0)
    return Case(model, {"user": tf.constant(USERS)}, lambda sent: model(sent["user"]), "output_0")


CASES = {
    build.__name__: build
    for build in (two_tower, sequential, light_gcn, rating, multi_task, cross_domain, meta_learner,
                  ranker, experimental, subclass, functional)
}  # fmt: skip
built = functools.cache(lambda name: CASES[name]())


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Returns the signatures of a model by a way out, exported once for all tests."""

    @functools.cache
    def signatures(name, way="model.export"):
        model, path = built(name).model, tmp_path_factory.mktemp("exported") / "1"
        if way == "model.export":
            model.export(str(path))
        else:
            recs.export.saved_model(model, path, **WAYS[way])
        return tf.saved_model.load(str(path)).signatures

    return signatures


def _row(rows, n):
    return {name: value[n : n + 1] for name, value in rows.items()}


def _columns(rows):
    return {n: v[:, None] if v.shape.rank == 1 else v for n, v in rows.items()}


def _sent(signature, rows):
    specs = signature.structured_input_signature[1]
    sent = {name: rows[name] for name in specs if name in rows}
    others = {"k": tf.constant(N), "exclusions": tf.fill([len(next(iter(rows.values()))), 1], "-"),
              "inclusions": tf.tile([["x", "z"]], [len(next(iter(rows.values()))), 1])}  # fmt: skip
    sent |= {name: others[name] for name in specs if name in others}
    return sent if set(sent) == set(specs) else None


@pytest.mark.parametrize(
    ("name", "way"),
    slow_but(
        [
            (name, way)
            for name in CASES
            for way in WAYS
            if way in ("model.export", "compiled") or name in ("two_tower", "multi_task")
        ],
        *((name, "model.export") for name in CASES),
        ("multi_task", "compiled"),
        ("multi_task", "int8"),
    ),
)
def test_rows_at_once_equal_one_by_one_and_python(name, way, exported):
    case, signatures = built(name), exported(name, way)
    near = {"rtol": 1e-5, "atol": 1e-5 if way in ("model.export", "compiled") else 3e-2}
    main = signatures["score"] if "score" in signatures else signatures["serving_default"]
    expected = np.asarray(case.expected(case.rows))
    assert expected.any()
    for rows in (case.rows, _columns(case.rows)):
        found = main(**_sent(main, rows))[case.output]
        np.testing.assert_allclose(found, expected, **near)
    checked = 0
    for signature in signatures.values():
        if not _sent(signature, case.rows):
            continue
        checked += 1
        at_once = signature(**_sent(signature, case.rows))
        single = [signature(**_sent(signature, _row(case.rows, n))) for n in range(N)]
        for output, values in at_once.items():
            alone = np.concatenate([one[output] for one in single])
            if values.dtype == tf.string:
                assert values.numpy().tolist() == alone.tolist()
            else:
                np.testing.assert_allclose(values, alone, rtol=1e-5, atol=1e-6)
    assert checked


@pytest.mark.parametrize("name", CASES)
def test_another_rank_is_an_error_in_python_and_in_the_graph(name, exported):
    case = built(name)
    np.testing.assert_allclose(
        np.asarray(case.expected(_columns(case.rows))), case.expected(case.rows), atol=1e-6
    )
    signatures = exported(name)
    main = signatures["score"] if "score" in signatures else signatures["serving_default"]
    for column in case.rows:
        value = case.rows[column]
        for wrong in (value[None], value[..., None, None], tf.reshape(value, [-1])[0]):
            sent = {**_sent(main, case.rows), column: wrong}
            with pytest.raises(
                tf.errors.InvalidArgumentError, match=rf"Input \\*'{column}\\*' must be"
            ):
                main(**sent)
        wide = {**case.rows, column: tf.stack([value, value], axis=1)}
        if value.shape.rank == 1 and name != "functional":
            with pytest.raises(ValueError, match=r"Received: .*\(in "):
                case.expected(wide)


@pytest.mark.parametrize(
    "name", ["two_tower", "rating", "multi_task", "cross_domain", "sequential"]
)
def test_a_row_is_not_taken_for_all(name, exported):
    case = built(name)
    column = list(case.rows)[-1]
    fewer = {**case.rows, column: case.rows[column][:1]}
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        case.expected(fewer)
    main = exported(name)["serving_default"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have the same number of rows"):
        main(**_sent(main, fewer))
