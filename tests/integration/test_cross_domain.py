"""The four uses of one model for many domains."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.data import Samples, domain_batches, splits, stack_domains
from recs.evaluation import area_under_curve, per_domain
from recs.export import saved_model
from recs.layers.multi_domain import MovedIn
from recs.models import CrossDomain, RatingModel, TwoTower


@pytest.fixture
def shop(rng):
    """Books and films that the same users see, with features and labels of their own."""
    taste = {f"user {u}": rng.normal() for u in range(30)}
    parts = {}
    for name, rows in (("books", 900), ("films", 150)):
        users = rng.choice(list(taste), rows).astype(object)
        like = np.array([taste[u] for u in users])
        kind = rng.integers(0, 4, rows)
        click = (like + (kind - 1.5) + 0.3 * rng.normal(size=rows) > 0).astype("float32")
        parts[name] = {"user": users, "click": click}
        feature = "author" if name == "books" else "genre"
        parts[name][feature] = np.array([f"{feature} {k}" for k in kind], object)
    books = parts["books"]
    bought = (books["author"] == "author 3").astype("float32")
    books["buy"] = np.where(books["click"] == 1, bought, np.nan).astype("float32")
    parts["films"]["watched"] = (parts["films"]["genre"] != "genre 0").astype("float32") * 90
    return parts


OWN = {"books": ["author"], "films": ["genre"]}


def model_of(shop, targets, **kwargs):
    form = {"categories": ["user"], "own_categories": OWN, "embedding_dim": 4, "seed": 1}
    return CrossDomain(list(shop), targets, **{**form, **kwargs})


def trained(model, data, epochs):
    model.compile(keras.optimizers.Adam(0.03))
    return model.fit(data.cache(), epochs=epochs, verbose=0).history


@pytest.mark.slow
def test_many_domains_with_one_target_and_a_mix_of_ones_own(shop):
    rows = stack_domains(shop)
    model = model_of(shop, ["click"])
    batches = domain_batches(rows, {"books": 0.5, "films": 0.5}, batch_size=100)
    sizes = [b["domain"].numpy().tolist().count(b"films") for b in batches]
    assert sizes == [50] * 11
    trained(model, batches, 6)
    told = model.predict_targets(rows)["click"]
    found = per_domain(rows["click"], told, rows["domain"], rows["user"])
    assert min(found[name]["auc"] for name in shop) > 0.95
    assert min(found[name]["ndcg@10"] for name in shop) > 0.9


def test_many_domains_with_many_targets(shop, tmp_path):
    rows = stack_domains(shop)
    targets = {"books": ["click", "buy"], "films": ["click", "watched"]}
    model = model_of(shop, targets, regression=["watched"], weights={"watched": 1e-3})
    history = trained(model, rows.to_dataset(batch_size=100, shuffle=True), 10)
    assert {"books_click_auc", "films_click_auc", "books_buy_auc"} <= set(history)
    assert not {"films_buy_auc", "films_watched_auc"} & set(history)
    told = model.predict_targets(rows)
    films = np.asarray(rows["domain"]) == "films"
    assert np.isnan(told["buy"][films]).all()
    assert np.isnan(told["watched"][~films]).all()
    assert area_under_curve(rows["buy"][~films], told["buy"][~films]) > 0.95
    errors = told["watched"][films] - rows["watched"][films]
    assert np.sqrt(np.mean(errors**2)) < 0.7 * np.std(rows["watched"][films])
    serve = tf.saved_model.load(str(saved_model(model, tmp_path / "1"))).signatures
    assert set(serve["films"].structured_outputs) == {"click", "watched"}
    assert set(serve["films"].structured_input_signature[1]) == {"user", "genre"}
    assert set(serve["books"].structured_outputs) == {"click", "buy"}


def test_labels_of_a_target_that_a_domain_lacks_do_not_count(shop):
    model = model_of(shop, {"books": ["click", "buy"], "films": ["click"]})
    rows = stack_domains(shop)
    batch = dict(next(iter(rows.to_dataset(batch_size=len(rows)))))
    want = float(model.compute_loss(batch))
    films = batch["domain"] == b"films"
    batch["buy"] = tf.where(films, 1.0, batch["buy"])
    assert float(model.compute_loss(batch)) == want
    batch["buy"] = tf.where(films, batch["buy"], 1.0)
    assert float(model.compute_loss(batch)) != want


def dense_model(name):
    x = keras.Input((2,), name="x")
    hidden = keras.layers.Dense(4, "tanh", name=f"{name}_hidden")(x)
    return keras.Model({"x": x}, keras.layers.Dense(1, name=f"{name}_out")(hidden), name=name)


@pytest.mark.slow
def test_one_domain_with_models_of_different_targets_merged(rng):
    x = rng.normal(size=(400, 2)).astype("float32")
    labels = {"click": (x[:, 0] > 0).astype("float32"), "buy": (x[:, 1] > 0).astype("float32")}
    old = {}
    for name, label in labels.items():
        old[name] = dense_model(name)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        old[name].compile("adam", loss, run_eagerly=True)
        old[name].fit({"x": x}, label, batch_size=100, verbose=0)
    moved = [MovedIn(one, name, gives="logits") for name, one in old.items()]
    model = CrossDomain(["feed"], ["click", "buy"], domain=None, categories=["user"],
                        models={"feed": moved}, seed=1)  # fmt: skip
    users = np.array([f"user {u}" for u in rng.integers(0, 9, 400)], object)
    columns = {"x": x, "user": users}
    told = model.predict_targets(columns)
    for name, one in old.items():
        want = keras.ops.sigmoid(one({"x": x}))[:, 0]
        np.testing.assert_allclose(told[name], want, rtol=1e-5)
    data = tf.data.Dataset.from_tensor_slices({"x": x, "user": users.astype(str), **labels})
    history = trained(model, data.batch(100), 10)
    assert history["feed_click_auc"][-1] > 0.97
    assert history["feed_buy_auc"][-1] > 0.97


class Score(keras.Model):
    """The score of a retrieval model for a pair, as a model of columns."""

    def __init__(self, towers):
        super().__init__()
        self.towers = towers
        self.columns = towers.query_tower.columns + towers.candidate_tower.columns

    def call(self, inputs):
        users, items = self.towers(inputs)
        return keras.ops.sum(users * items, axis=-1)


@pytest.mark.slow
def test_models_of_retrieval_and_pre_ranking_of_one_product_merged(rng):
    """Two channels of retrieval and a pre-ranking model become one ranking of all candidates."""
    users, items = 12, 20
    who, what = (rng.integers(0, n, 900) for n in (users, items))
    # One channel learns the one half of the taste, the other channel the other.
    halves = (who % 3) == (what % 3), (who % 4) == (what % 4)
    likes = halves[0] ^ halves[1]
    log = Samples({
        "user_id": np.array([f"u{u}" for u in who], object),
        "item_id": np.array([f"i{i}" for i in what], object),
        "user_rating": np.where(likes, 5.0, 1.0).astype("float32"),
        "click": likes.astype("float32"),
    })  # fmt: skip
    channels = [TwoTower(user="user_id", item="item_id", embedding_dim=4, seed=s) for s in (1, 2)]
    for channel, half in zip(channels, halves, strict=True):
        channel.compile(keras.optimizers.Adagrad(0.3), run_eagerly=True)
        pairs = log.take(half).to_dataset(["user_id", "item_id"], batch_size=64)
        channel.fit(pairs, verbose=0)
    ranker = RatingModel(embedding_dim=4, seed=3)
    ranker.set_mean(3.0).compile(keras.optimizers.Adagrad(0.1), run_eagerly=True)
    ranker.fit(log.to_dataset(batch_size=200), verbose=0)
    moved = [MovedIn(Score(one), "click", gives="numbers") for one in channels]
    moved.append(MovedIn(ranker, "click", gives="numbers"))
    model = CrossDomain(["feed"], ["click"], domain=None, categories=["user_id", "item_id"],
                        models={"feed": moved}, embedding_dim=4, seed=4)  # fmt: skip
    columns = {name: log[name] for name in ("user_id", "item_id")}
    logits = model.logits({n: tf.constant(c) for n, c in columns.items()}, domain=0)["click"]
    parts = [one({n: tf.constant(c) for n, c in columns.items()})["click"] for one in moved]
    np.testing.assert_allclose(logits, sum(parts) / 3, rtol=1e-4, atol=1e-5)  # their mean
    before = [area_under_curve(log["click"], np.ravel(part)) for part in parts]
    trained(model, log.to_dataset(batch_size=100, shuffle=True), 6)
    after = area_under_curve(log["click"], model.predict_targets(columns)["click"])
    assert after > max(before)


@pytest.mark.slow
def test_domains_of_movies(rng):
    from recs.data import movielens

    ratings = movielens.by_genre(min_ratings=1000)
    genres, domain = ratings["movie_genres"].to_list(), np.asarray(ratings["domain"])
    main = np.array([row[0] for row in genres])
    assert set(domain) == {
        "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama",
        "Horror", "Other",
    }  # fmt: skip
    np.testing.assert_array_equal(domain[domain != "Other"], main[domain != "Other"])
    np.testing.assert_array_equal(ratings["liked"], ratings.rating >= 4.0)
    train, test = splits.at_random(ratings, 0.2)
    assert len(train) + len(test) == 100_836
