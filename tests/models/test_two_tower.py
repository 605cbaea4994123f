from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.data import Interactions, Items, RaggedColumn
from recs.layers.negatives import InBatch, Popular, Uniform
from recs.losses import BPR
from recs.models import Tower, TwoTower
from tests.harness.new_process import run_code

ITEMS = Items(
    {
        "item": ["a", "b", "c", "d"],
        "title": ["Alien", "Brazil", "Casablanca", "Dune"],
        "genres": RaggedColumn.from_lists([["Horror", "SciFi"], ["SciFi"], [], ["SciFi"]]),
    }
)
LOG = Interactions(
    {"user": ["u", "u", "v", "v", "w"], "item": ["a", "b", "b", "c", "c"]}, items=ITEMS
)


def made(**arguments):
    return TwoTower(**{"user": "user", "item": "item", "embedding_dim": 4, "seed": 3, **arguments})


def trained(log=LOG, epochs=30, **arguments):
    model = made(**arguments)
    if arguments.get("correct_sampling"):
        model.set_popularity(log.item_counts())
    model.compile(optimizer=keras.optimizers.Adagrad(0.3))
    wanted = arguments.get("item_features", ())
    data = log.with_item_features(*wanted) if wanted else log
    model.fit(data.to_dataset(batch_size=5).repeat(epochs), verbose=0, shuffle=False)
    return model.index(log.items)


@pytest.mark.parametrize("corrected", [False, True])
def test_the_loss_is_the_in_batch_softmax(corrected):
    model = made(temperature=0.5, correct_sampling=corrected)
    model.set_popularity(LOG.item_counts())
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(2, 5, 4)).astype("float32")
    rows = {"u": users[0], "v": users[2], "w": users[4]}
    columns = {"a": items[0], "b": items[1], "c": items[3]}
    model.query_tower.embedding.table.upsert(list(rows), np.stack(list(rows.values())))
    model.candidate_tower.embedding.table.upsert(list(columns), np.stack(list(columns.values())))
    share = {"a": 0.2, "b": 0.4, "c": 0.4}
    expected = 0.0
    for user, item in zip(LOG.user, LOG.item, strict=True):
        logits = []
        for other in LOG.item:
            logit = rows[user] @ columns[other] / 0.5
            logits.append(logit - (np.log(share[other]) if corrected else 0.0))
        # A second copy of the pair's own item is no negative of it.
        own = LOG.item.tolist().index(item)
        kept = [x for n, x in enumerate(logits) if LOG.item[n] != item or n == own]
        expected += np.log(np.exp(kept).sum()) - logits[own]
    model.compile(optimizer="sgd")
    loss = model.test_on_batch({"user": LOG.user, "item": LOG.item}, return_dict=True)["loss"]
    assert float(loss) == pytest.approx(expected / len(LOG), rel=1e-5)


def test_training_prefers_what_users_took():
    model = trained()
    best = model.recommend(["w", "u"], k=2).ids
    assert best[0, 0] == "c"
    assert set(best[1]) == {"a", "b"}


def test_excluded_items_are_not_recommended_and_titles_follow_ids():
    answer = trained().recommend(["u", "w"], k=2, exclude=[["a", "b"], []])
    assert not {"a", "b"} & set(answer.ids[0])
    title = dict(zip(ITEMS.item, ITEMS.title, strict=True))
    assert answer.titles.tolist() == [[title[i] for i in row] for row in answer.ids]
    assert (np.diff(answer.scores, axis=1) <= 0).all()


def test_integer_ids_work_and_no_id_is_taken_for_padding():
    log = Interactions({"user": [1, 1, 2], "item": [-1, 0, -2]})
    model = made(id_dtype="int64")
    model.compile(optimizer=keras.optimizers.Adagrad(0.3))
    model.fit(log.to_dataset(batch_size=3), epochs=3, verbose=0, shuffle=False)
    model.index(np.array([-2, -1, 0]))
    answer = model.recommend([1, 2], k=3, exclude=[[0], []])
    assert answer.ids[0, -1] == -3  # no item: the first below -1 that none is called
    assert (answer.scores > -1e30).tolist() == [[True, True, False], [True, True, True]]
    assert answer.titles is None
    assert answer.ids.dtype == np.int64


def test_an_unknown_user_is_refused_with_ids_that_exist():
    with pytest.raises(ValueError, match=r"Received: 'nobody' .*Ids look like b?'[uvw]'"):
        trained(epochs=1).recommend(["u", "nobody"])


def test_exclude_must_be_as_long_as_users():
    with pytest.raises(
        ValueError, match=r"a list of ids for each user\. Received: 1 lists, 2 users"
    ):
        trained(epochs=1).recommend(["u", "v"], k=1, exclude=[["a"]])


def test_the_correction_needs_counts():
    model = made(correct_sampling=True)
    model.compile(optimizer="sgd")
    with pytest.raises(ValueError, match=r"set_popularity\(train\.item_counts\(\)\)"):
        model.fit(LOG.to_dataset(batch_size=5), verbose=0, shuffle=False)
    with pytest.raises(ValueError, match=r"each item a positive number\. Received: 0 items"):
        model.set_popularity({})


def test_popularity_is_the_share_of_counts_and_is_replaced():
    model = made().set_popularity({"z": 5}).set_popularity({"a": 3, "b": 1})
    shares = model.popularity.table.lookup(["a", "b", "z"]).ravel()
    assert shares.tolist() == pytest.approx([0.75, 0.25, 0.0])
    assert not model.popularity.trainable_variables


def test_a_missing_column_names_those_that_are_needed():
    model = made(item_features=["genres"])
    with pytest.raises(ValueError, match="must have the columns item, genres"):
        model.candidate_tower({"item": np.array(["a"], object)})


def test_features_place_an_item_that_was_never_seen():
    model = trained(item_features=["genres"])
    vectors = dict(zip(ITEMS.item, model.candidate_vectors(ITEMS), strict=True))
    scifi = model.candidate_tower.feature_embeddings[0].table.lookup(["SciFi"])[0]
    np.testing.assert_allclose(vectors["d"], scifi, rtol=1e-6)  # "d" has no interaction
    assert not made().candidate_vectors(["d"]).any()


def test_a_tower_adds_embeddings_or_sends_them_through_dense_layers():
    batch = {"id": tf.constant(["x"]), "tags": tf.constant([["p", ""]])}
    added = Tower("id", embedding_dim=2, features=["tags"], seed=1)
    added.embedding.table.upsert(["x"], [[1.0, 2.0]])
    added.feature_embeddings[0].table.upsert(["p"], [[10.0, 20.0]])
    assert added(batch).numpy().tolist() == [[11.0, 22.0]]
    deep = Tower("id", embedding_dim=2, features=["tags"], units=[3, 5], seed=1)
    assert deep(batch).shape == (1, 5)
    assert [layer.kernel.shape for layer in deep.dense] == [(4, 3), (3, 5)]
    assert deep.dense[0].activation is keras.activations.relu
    assert deep.dense[1].activation is keras.activations.linear


def test_numbers_are_categories():
    tower = Tower("id", embedding_dim=2, features=["age"], seed=1)
    tower.feature_embeddings[0].table.upsert(["25"], [[1.0, 1.0]])
    batch = {"id": tf.constant(["x", "x"]), "age": tf.constant([25, 26])}
    assert tower(batch).numpy().tolist() == [[1.0, 1.0], [0.0, 0.0]]


def test_normalized_vectors_have_length_one():
    vectors = trained(normalize=True, temperature=0.1).candidate_vectors(["a", "b"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)


def test_item_bias_is_what_an_unknown_user_is_served():
    model = trained(item_bias=True)
    bias = model.candidate_tower.bias_embedding.table.lookup(["a", "b", "c"]).ravel()
    served = model.serving_signatures()["serving_default"]({"user": tf.constant(["nobody"])})
    scores = dict(zip(served["ids"].numpy()[0], served["scores"].numpy()[0], strict=True))
    np.testing.assert_allclose([scores[i] for i in (b"a", b"b", b"c")], bias, rtol=1e-6)
    with pytest.raises(ValueError, match=r"`bias` must be None, 'learned' or 'one'"):
        Tower("id", bias="two")


@pytest.mark.slow
def test_the_seed_decides_the_result():
    keras.utils.set_random_seed(1)
    first, second = trained(seed=None, epochs=2), trained(seed=None, epochs=2)
    keras.utils.set_random_seed(1)
    again = trained(seed=None, epochs=2)
    assert (first.query_vectors(["u"]) == again.query_vectors(["u"])).all()
    assert (first.query_vectors(["u"]) != second.query_vectors(["u"])).any()
    assert (
        trained(seed=1, epochs=2).query_vectors(["u"])
        != trained(seed=2, epochs=2).query_vectors(["u"])
    ).any()
    assert (made().query_tower.embedding.seed) != made().candidate_tower.embedding.seed


def test_popularity_is_found_while_training_and_saved(tmp_path):
    model = trained(correct_sampling="streaming", temperature="learned", normalize=True)
    estimate = model.task._estimate
    np.testing.assert_allclose(estimate(tf.constant(["a", "b", "c"])), [0.2, 0.4, 0.4], rtol=1e-5)
    temperature = model.task._temperature.value
    assert float(temperature) != pytest.approx(0.07)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.task._estimate(tf.constant(["b"])), [0.4], rtol=1e-5)
    assert float(again.task._temperature.value) == float(temperature)


def test_another_loss(tmp_path):
    model = trained(loss=BPR(temperature=0.5))
    assert model.recommend(["w"], k=1).ids[0, 0] == "c"
    again = TwoTower.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert again.task.get_config()["loss"]["config"]["temperature"] == 0.5


LOAD = """
import sys, keras, numpy as np
import recs.models
model = keras.saving.load_model(sys.argv[1])
answer = model.recommend(["u", "v"], k=3, exclude=[["a"], []])
print("|".join(answer.titles.ravel()), answer.scores.ravel().tolist(), sep="#")
"""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [{}, {"units": [6, 3], "item_features": ["genres"]}])
def test_a_saved_model_recommends_the_same_in_a_new_process(tmp_path, arguments):
    model = trained(correct_sampling=True, item_bias=True, **arguments)
    model.save(tmp_path / "model.keras")
    answer = model.recommend(["u", "v"], k=3, exclude=[["a"], []])
    model.candidate_tower.embedding.table.clear()
    output = run_code(LOAD, tmp_path / "model.keras")
    titles, scores = output.strip().splitlines()[-1].split("#")
    assert titles == "|".join(answer.titles.ravel())
    assert [float(x) for x in scores.strip("[]").split(",")] == pytest.approx(
        answer.scores.ravel().tolist(), rel=1e-6
    )


def test_a_loaded_model_has_its_popularity_and_goes_on_training(tmp_path):
    trained(correct_sampling=True).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.popularity.table.lookup(["a"]).item() == pytest.approx(0.2)
    loaded.fit(LOG.to_dataset(batch_size=5), verbose=0, shuffle=False)
    assert loaded.get_config()["correct_sampling"] is True


@pytest.mark.slow
def test_negatives_of_the_corpus_are_drawn_from_the_items_of_training(tmp_path):
    kinds = [InBatch(), Uniform(50, seed=1), Popular(20, seed=2)]
    model = made(negatives=kinds, num_hard_negatives=8, id_dtype="string")
    model.set_popularity(LOG.item_counts())
    model.compile(optimizer=keras.optimizers.Adagrad(0.3))
    model.fit(LOG.to_dataset(batch_size=5), epochs=2, verbose=0)
    model.index(LOG.items)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.get_config() == model.get_config()
    assert [kind.number for kind in loaded.task._negatives[1:]] == [50, 20]
    loaded.fit(LOG.to_dataset(batch_size=5), verbose=0)  # the corpora are part of the file
    # The same draws by hand: the batch's columns, then those of each kind.
    assert loaded.recommend(["u"], k=2).ids.shape == (1, 2)


def test_the_loss_with_uniform_negatives_is_the_softmax_over_them_too():
    model = made(negatives=Uniform(30, seed=5), remove_accidental_hits=False)
    model.set_popularity(LOG.item_counts())
    batch = next(iter(LOG.to_dataset(batch_size=5, shuffle=False)))
    model.query_tower.embedding.table.upsert(["u", "v", "w"], np.eye(3, 4))
    rows = {"a": [1, 0, 0, 0], "b": [0, 2, 0, 0], "c": [0, 0, 3, 0]}
    model.candidate_tower.embedding.table.upsert(list(rows), np.array(list(rows.values()), float))
    drawn = []
    encode = model.candidate_tower.call

    def seen(columns, **options):
        drawn.append(columns["item"].numpy())
        return encode(columns, **options)

    model.candidate_tower.call = seen
    loss = float(model.compute_loss(batch))
    negatives = np.array([rows[item.decode()] for item in drawn[-1]])
    assert negatives.shape == (30, 4)
    users = {b"u": np.eye(3, 4)[0], b"v": np.eye(3, 4)[1], b"w": np.eye(3, 4)[2]}
    expected = 0.0
    for user, item in zip(batch["user"].numpy(), batch["item"].numpy(), strict=True):
        own = users[user] @ np.array(rows[item.decode()])
        expected += np.log(np.exp(negatives @ users[user]).sum() + np.exp(own)) - own
    assert loss == pytest.approx(expected, rel=1e-5)


def test_items_with_features_are_not_drawn_by_id():
    with pytest.raises(ValueError, match="Uniform, which draws ids alone"):
        made(negatives=Uniform(5), item_features=["genres"])
