"""A model of lists: its members, its loss, its transforms, saved and served."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
from recs.export import saved_model
from recs.layers import TableConfig
from recs.layers.ranking import DASALCScorer, FactorizationScorer, QuantileSteps, RankInList
from recs.losses import SoftmaxLoss
from recs.models import ListRanker

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
    return ListRanker(
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
    return ListRanker(features=IDS, tables=tables, scorer=FactorizationScorer(3), topn=2)


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
    for member in model.members.scorers:
        first, shift, last, end = (weight.numpy() for weight in member.weights)
        scores.append((np.maximum(vectors @ first + shift, 0) @ last + end)[..., 0])
    found = model(batch, training=False)
    np.testing.assert_allclose(found, np.mean(scores, axis=0), rtol=1e-4, atol=1e-5)
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
    items = model.item_inputs(batch, training=False)
    scores = model._scores(items["features"], items["mask"], False).numpy()
    return np.moveaxis(scores, -1, 0)


def test_regularization_is_the_mean_over_members():
    model = of_dense(kernel_regularizer=keras.regularizers.L2(0.1))
    model.compile(keras.optimizers.SGD(0.0))
    logs = model.train_on_batch(batch_of(dense()), return_dict=True)
    squares = [float((one.weights[0].numpy() ** 2).sum()) for one in model.members.scorers]
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
    assert model.transforms[0].thresholds.numpy().tolist() == [[7.5] * 3]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "lists"), [(of_dense, dense), (of_ids, ids)])
def test_it_learns_and_is_saved(make, lists, tmp_path):
    lists, model = lists(), make()
    model.adapt(lists).compile(keras.optimizers.Adam(0.05))
    history = model.fit(lists.to_dataset(4), epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.95 * history["loss"][0]
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.score_lists(lists), model.score_lists(lists), rtol=1e-5)
    assert len(again.weights) == len(model.weights)  # members are not one and the same
    assert not np.allclose(make().score_lists(lists), model.score_lists(lists))
    assert again.get_config() == model.get_config()


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
    model = ListRanker(features=DENSE, scorer=DASALCScorer((4,), head_size=4, dropout=0.0))
    whole, alone = batch_of(lists), batch_of(lists.take([1]), 1)
    np.testing.assert_allclose(model(whole)[1, :1], model(alone)[0], rtol=1e-4, atol=1e-5)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"`members` must be a positive integer.*members=0"):
        of_dense(members=0)
    sequence = RankingFeature("tags", "sequence", combiner=None)
    with pytest.raises(ValueError, match="Feature 'tags' must be pooled or attended"):
        ListRanker(
            features=RankingFeatures(examples=[sequence]),
            tables=[TableConfig("tags", 3)],
            scorer=keras.layers.Dense(1),
        )
    batch = dict(batch_of(dense()))
    del batch["label"]
    with pytest.raises(ValueError, match="must have the labels as 'label'"):
        of_dense().compute_loss(batch)
