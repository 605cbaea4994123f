"""Rankers with transforms and several members: their scores, losses, saved and served."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
from recs.export import saved_model
from recs.layers import TableConfig
from recs.layers.ranking import DASALCScorer, FactorizationScorer, QuantileSteps, RankInList
from recs.losses import ClickEMLoss, SoftmaxLoss
from recs.models import Ranker
from recs.tasks import RankingHead

RNG = np.random.default_rng(8)
SPLITS = [0, 4, 5, 11, 14]
DENSE = RankingFeatures(examples=[RankingFeature("x", shape=(3,))], weight="weight")
IDS = RankingFeatures(
    context=[RankingFeature("user", "ids", dtype="string")],
    examples=[RankingFeature("item", "ids"), RankingFeature("tags", "sequence", combiner="sum")],
)


def dense():
    examples = {
        "x": RNG.normal(size=(14, 3)),
        "label": RNG.integers(0, 3, 14),
        "weight": RNG.uniform(0.5, 2.0, 14),
    }
    return RankingLists(DENSE, {}, examples, SPLITS)


def ids():
    tags = [RNG.integers(0, 4, RNG.integers(0, 3)).tolist() for _ in range(14)]
    examples = {"item": RNG.integers(0, 9, 14), "tags": tags, "label": RNG.integers(0, 3, 14)}
    return RankingLists(IDS, {"user": ["a", "b", "a", "c"]}, examples, SPLITS)


def of_dense(members=3, **kwargs):
    scorer = keras.Sequential([keras.layers.Dense(4, "relu", **kwargs), keras.layers.Dense(1)])
    return Ranker(
        features=DENSE,
        scorer=scorer,
        transforms=[QuantileSteps([0.5]), RankInList(), keras.layers.Identity()],
        members=members,
        regularization_weight=0.5,
    )


def of_ids():
    tables = [
        TableConfig("user", 3, key_dtype="string", seed=1),
        TableConfig("item", 3, seed=2),
        TableConfig("tags", 3, seed=3),
    ]
    return Ranker(features=IDS, tables=tables, scorer=FactorizationScorer(3))


def batch_of(lists, size=4):
    return next(iter(lists.to_dataset(size)))


def test_the_score_is_the_mean_of_members_that_differ():
    lists = dense()
    model = of_dense().adapt(lists)
    batch = batch_of(lists)
    vectors = np.concatenate(
        [
            QuantileSteps([0.5])(batch["x"]) * 0,  # replaced below
            RankInList()(batch["x"], mask=batch["mask"]),
            batch["x"],
        ],
        axis=-1,
    )
    values = lists.examples["x"]
    vectors[..., :3] = np.where(batch["x"] > np.quantile(values, 0.5, axis=0), 0.5, -0.5)
    vectors = np.where(batch["mask"][..., None], vectors, 0)
    scores = []
    for member in model.head.scores.members:
        first, shift, last, end = (weight.numpy() for weight in member.weights)
        scores.append((np.maximum(vectors @ first + shift, 0) @ last + end)[..., 0])
    found = model(batch, training=False)
    want = np.where(batch["mask"], np.mean(scores, axis=0), np.finfo("float32").min)
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)
    assert not np.allclose(scores[0], scores[1])
    flat = tf.boolean_mask(found, batch["mask"]).numpy()
    np.testing.assert_allclose(model.score_lists(lists, batch_size=3), flat, rtol=1e-5, atol=1e-6)


def test_the_loss_is_the_mean_of_the_members_losses():
    lists = dense()
    model = of_dense()
    batch = batch_of(lists)
    each = ops_of_members(model, batch)
    want = np.mean(
        [SoftmaxLoss()(batch["label"], one, batch["weight"], mask=batch["mask"]) for one in each]
    )
    assert float(model.compute_loss(batch)) == pytest.approx(float(want), rel=1e-5)


def ops_of_members(model, batch):
    items = model.vectors(batch, training=False)
    return model.head.scores(items["features"], items["mask"], each=True).numpy()


def test_regularization_is_the_mean_over_members():
    model = of_dense(kernel_regularizer=keras.regularizers.L2(0.1))
    model.compile(keras.optimizers.SGD(0.0))
    logs = model.train_on_batch(batch_of(dense()), return_dict=True)
    squares = [float((one.weights[0].numpy() ** 2).sum()) for one in model.head.scores.members]
    want = 0.5 * 0.1 * np.mean(squares)
    assert float(logs["regularization_loss"]) == pytest.approx(want, rel=1e-5)
    assert logs["total_loss"] == pytest.approx(logs["loss"] + logs["regularization_loss"])


def test_padding_changes_nothing():
    lists = dense()
    model = of_dense().adapt(lists)
    whole = batch_of(lists)
    alone = batch_of(lists.take([1]), 1)
    np.testing.assert_allclose(model(whole)[1, :1], model(alone)[0], rtol=1e-5, atol=1e-6)
    losses = [float(model.compute_loss(b)) for b in lists.to_dataset(4, list_size=9)]
    assert losses[0] == pytest.approx(float(model.compute_loss(whole)), rel=1e-5)


def test_transforms_adapt_to_items_alone():
    values = np.arange(1.0, 15.0)[:, None].repeat(3, 1)
    examples = {"x": values, "label": np.zeros(14), "weight": np.ones(14)}
    model = of_dense().adapt(RankingLists(DENSE, {}, examples, SPLITS), batch_size=2)
    assert model.vectors.transforms[0].thresholds.numpy().tolist() == [[7.5] * 3]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "lists"), [(of_dense, dense), (of_ids, ids)])
def test_it_learns_and_is_saved(make, lists, tmp_path):
    lists, model = lists(), make()
    model.adapt(lists).compile(keras.optimizers.Adam(0.05))
    history = model.fit(lists.to_dataset(4).cache(), epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.95 * history["loss"][0]
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.score_lists(lists), model.score_lists(lists), rtol=1e-5)
    assert len(again.weights) == len(model.weights)  # members are not one and the same
    assert not np.allclose(make().score_lists(lists), model.score_lists(lists))
    configs = [one.get_config() for one in (again, model)]
    for config in configs:
        del config["scorer"], config["transforms"]  # Keras notes the shapes they were built on.
    assert configs[0] == configs[1]


@pytest.mark.slow
def test_it_is_served(tmp_path):
    lists, model = ids(), of_ids()
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(lists.to_dataset(4), epochs=3, verbose=0)
    path = saved_model(model, tmp_path / "1")
    served = tf.saved_model.load(str(path)).signatures["predict"]
    context = {"user": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a"]))}
    tags, items = lists.examples["tags"].take(np.arange(4)).to_list(), lists.examples["item"][:4]
    record = b""
    for number, has in zip(items.tolist(), tags, strict=True):
        features = {
            name: tf.train.Feature(int64_list=tf.train.Int64List(value=value))
            for name, value in (("item", [number]), ("tags", has))
        }
        one = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
        record += b"\x0a" + bytes([len(one)]) + one  # field 1, its length, below 128
        assert len(one) < 128
    of_list = tf.train.Example(features=tf.train.Features(feature=context)).SerializeToString()
    record += b"\x12" + bytes([len(of_list)]) + of_list
    scores = next(iter(served(inputs=tf.constant([record])).values()))
    np.testing.assert_allclose(scores[0], model.score_lists(lists)[:4], rtol=1e-4, atol=1e-6)


def test_scorers_are_told_the_mask():
    lists = dense()
    model = Ranker(features=DENSE, scorer=DASALCScorer((4,), head_size=4, dropout=0.0))
    whole, alone = batch_of(lists), batch_of(lists.take([1]), 1)
    np.testing.assert_allclose(model(whole)[1, :1], model(alone)[0], rtol=1e-4, atol=1e-5)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"`members` must be a positive integer.*members=0"):
        of_dense(members=0)
    with pytest.raises(ValueError, match="1 where there is no scorer"):
        RankingHead(members=2)


def test_members_that_take_sequences_and_make_several_scores():
    history = RankingFeature("history", "sequence", combiner=None)
    features = RankingFeatures([history], [RankingFeature("x", shape=(3,))])
    examples = {"x": RNG.normal(size=(14, 3)), "label": RNG.integers(0, 2, 14)}
    lists = RankingLists(features, {"history": [[1, 2], [3], [], [4]]}, examples, SPLITS)
    vectors = keras.Input((None, 6), name="features")
    past = {
        "history": keras.Input((None, 4), name="history"),
        "history_mask": keras.Input((None,), dtype="bool", name="history_mask"),
        "mask": keras.Input((None,), dtype="bool", name="mask"),
    }
    inputs = {"features": vectors, **past}
    mean = keras.ops.mean(past["history"], axis=1, keepdims=True)
    one = keras.layers.Concatenate()([vectors, keras.ops.zeros_like(vectors[..., :4]) + mean])
    model = Ranker(
        features,
        scorer=keras.Model(inputs, keras.layers.Dense(4, "relu")(one)),
        transforms=[RankInList(), keras.layers.Identity()],
        members=2,
        units=2,
        loss=ClickEMLoss(),
        embedding_dim=4,
    )
    batch = batch_of(lists)
    items = model.vectors(batch, training=False)
    each = model.head.scores(dict(items), items["mask"], each=True)
    assert each.shape == (2, 4, 6, 2)
    found = model(batch, training=False).numpy()
    np.testing.assert_allclose(found[0, :4], np.mean(each, axis=0)[0, :4], rtol=1e-5)
    assert (found[1, 1:] == np.finfo("float32").min).all()
    want = np.mean([ClickEMLoss()(batch["label"], one, mask=batch["mask"]) for one in each])
    assert float(model.compute_loss(batch)) == pytest.approx(float(want), rel=1e-5)


def test_what_transforms_are_regularized_with_is_weighed():
    kernel = keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.1))
    model = Ranker(DENSE, transforms=[kernel], regularization_weight=3.0)
    model.compile(keras.optimizers.SGD(0.0))
    logs = model.train_on_batch(batch_of(dense()), return_dict=True)
    want = 3.0 * 0.1 * float((kernel.kernel.numpy() ** 2).sum())
    assert float(logs["regularization_loss"]) == pytest.approx(want, rel=1e-5)


def test_transforms_adapt_to_a_dataset_too():
    lists = dense()
    one, other = of_dense().adapt(lists), of_dense().adapt(lists.to_dataset(2, list_size=9))
    found = [model.vectors.transforms[0].thresholds.numpy() for model in (one, other)]
    np.testing.assert_array_equal(*found)
    assert found[0].any()


@pytest.mark.parametrize("weights", [2.0, [1.0, 0.0, 3.0, 1.0]])
def test_weights_of_lists_count_for_every_member(weights):
    lists = dense()
    batch = batch_of(lists)
    head = RankingHead(scorer=keras.layers.Dense(1), members=2)
    found = head(batch["label"], batch["x"], sample_weight=weights, mask=batch["mask"])
    each = head.scores(batch["x"], batch["mask"], each=True)
    want = [SoftmaxLoss()(batch["label"], one, weights, mask=batch["mask"]) for one in each]
    assert float(found) == pytest.approx(float(np.mean(want)), rel=1e-5)


def test_transforms_and_members_are_served(tmp_path):
    lists, model = dense(), of_dense()
    model.adapt(lists)
    path = saved_model(model, tmp_path / "1")
    served = tf.saved_model.load(str(path)).signatures["score"]
    batch = batch_of(lists)
    longer = tf.pad(batch["x"], [(0, 0), (0, 2), (0, 0)], constant_values=9.0)
    there = tf.pad(batch["mask"], [(0, 0), (0, 2)])
    scores = served(x=longer, mask=there)["output"].numpy()[there.numpy()]
    np.testing.assert_allclose(scores, model.score_lists(lists), rtol=1e-4, atol=1e-6)
