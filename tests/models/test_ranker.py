from __future__ import annotations

import keras
import numpy as np
import pytest

import recs
from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
from recs.layers import TableConfig
from recs.models import Ranker

FEATURES = RankingFeatures(
    context=[RankingFeature("history", "sequence", table="items", combiner="sum")],
    examples=[RankingFeature("item", "ids", table="items"), RankingFeature("price")],
    weight="seen",
)
ROWS = np.random.default_rng(3).normal(size=(6, 2)).astype("float32")
HISTORY = [[1, 2], [], [5]]
ITEMS = [1, 2, 3, 4, 5, 3]
PRICES = [0.5, 1.0, -1.0, 2.0, 0.0, 3.0]
LABELS = [1.0, 0.0, 2.0, 0.0, 1.0, 0.0]
SEEN = [1.0, 0.5, 2.0, 1.0, 1.0, 0.25]
SPLITS = [0, 2, 5, 6]
LISTS = RankingLists(
    FEATURES,
    {"history": HISTORY},
    {"item": ITEMS, "price": PRICES, "label": LABELS, "seen": SEEN},
    SPLITS,
)
KERNEL = np.array([1.0, -0.5, 0.25, 2.0, -1.0])


def made(**arguments):
    table = TableConfig("items", 2, regularizer=arguments.pop("regularizer", None))
    initializer = lambda shape, dtype: keras.ops.cast(KERNEL[:, None], dtype)  # noqa: E731
    scorer = keras.layers.Dense(1, use_bias=False, kernel_initializer=initializer)
    model = Ranker(FEATURES, [table], scorer, **arguments)
    model.inputs_of_lists.embeddings.table("items").upsert(np.arange(6), ROWS)
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    return model


def scores_by_hand():
    lists = np.repeat(np.arange(3), np.diff(SPLITS))
    history = [ROWS[ids].sum(0) if ids else np.zeros(2) for ids in HISTORY]
    return np.array(
        [
            np.concatenate([history[i], ROWS[item], [price]]) @ KERNEL
            for i, item, price in zip(lists, ITEMS, PRICES, strict=True)
        ]
    )


def test_scores_are_those_of_the_scorer_on_context_and_items():
    scores = made().score_lists(LISTS, batch_size=2)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, scores_by_hand(), rtol=1e-5)
    assert made().score_lists(LISTS.take(np.zeros(0, int))).shape == (0,)
    padded = made().predict(LISTS.to_dataset(3, list_size=4), verbose=0)
    assert padded.shape == (3, 4)
    assert (padded[0, 2:] == np.finfo("float32").min).all()
    np.testing.assert_allclose(padded[1, :3], scores_by_hand()[2:5], rtol=1e-5)


def test_the_loss_is_that_of_the_head_with_weights_of_items():
    model = made(loss="softmax_loss", metrics=[])
    (batch,) = LISTS.to_dataset(3)
    dense = np.full((3, 3), 0.0, "float32")
    dense[np.asarray(batch["mask"])] = scores_by_hand()
    want = recs.losses.SoftmaxLoss()(batch["label"], dense, batch["seen"], mask=batch["mask"])
    logs = model.evaluate(LISTS.to_dataset(3), verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["loss"], want, rtol=1e-5)
    unweighted = recs.losses.SoftmaxLoss()(batch["label"], dense, mask=batch["mask"])
    assert abs(float(unweighted) - logs["loss"]) > 1e-3


@pytest.mark.slow
def test_regularization_of_embeddings_and_head_is_weighed_once():
    l2 = keras.regularizers.L2(0.1)
    model = made(regularizer=l2, regularization_weight=3.0, metrics=[])
    logs = model.train_on_batch(next(iter(LISTS.to_dataset(3))), return_dict=True)
    of_rows = 0.1 * (ROWS[1:6] ** 2).sum()  # ids 1 to 5, each once
    np.testing.assert_allclose(logs["regularization_loss"], 3 * of_rows, rtol=1e-5)
    np.testing.assert_allclose(logs["total_loss"], logs["loss"] + 3 * of_rows, rtol=1e-5)
    plain = made(metrics=[]).train_on_batch(next(iter(LISTS.to_dataset(3))), return_dict=True)
    np.testing.assert_allclose(logs["loss"], plain["loss"], rtol=1e-5)


@keras.saving.register_keras_serializable("tests")
class LastOfHistory(keras.layers.Layer):
    """Scores items by the dot product of the first two numbers with a history's last vector."""

    def call(self, inputs):
        there = keras.ops.cast(inputs["history_mask"], "int32")
        at = keras.ops.maximum(keras.ops.sum(there, axis=1) - 1, 0)
        last = keras.ops.take_along_axis(inputs["history"], at[:, None, None], axis=1)
        return keras.ops.sum(inputs["features"][..., :2] * last, axis=-1)


def test_sequences_can_be_left_to_the_scorer():
    history = RankingFeature("history", "sequence", table="items", combiner=None)
    features = RankingFeatures([history], FEATURES.examples)
    model = Ranker(features, scorer=LastOfHistory(), embedding_dim=2)
    model.inputs_of_lists.embeddings.table("items").upsert(np.arange(6), ROWS)
    lists = RankingLists(features, {"history": [[1, 2], [3], [5]]}, LISTS.examples, SPLITS)
    last = ROWS[[2, 2, 3, 3, 3, 5]]
    want = (ROWS[ITEMS] * last).sum(1)
    np.testing.assert_allclose(model.score_lists(lists), want, rtol=1e-5)
    model.compile("sgd")
    assert np.isfinite(model.fit(lists.to_dataset(3), verbose=0).history["loss"]).all()


@pytest.mark.slow
def test_what_is_saved_is_loaded(tmp_path):
    model = Ranker(FEATURES, metrics=recs.metrics.NDCGMetric(name="ndcg"), list_dropout=0.2, seed=3)
    model.compile(optimizer="adam", run_eagerly=False)
    model.fit(LISTS.to_dataset(2), epochs=2, verbose=0)
    want = model.score_lists(LISTS)
    model.save(tmp_path / "m.keras")
    model.inputs_of_lists.embeddings.table("items").clear()
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.score_lists(LISTS), want)
    assert loaded.head.list_dropout == 0.2
    configs = [one.get_config() for one in (loaded, model)]
    for config in configs:
        del config["scorer"]  # Keras notes the shape it was built on.
    assert configs[0] == configs[1]
    logs = loaded.evaluate(LISTS.to_dataset(3), verbose=0, return_dict=True)
    assert {"loss", "ndcg"} <= set(logs)


def test_it_learns_and_reports():
    keras.utils.set_random_seed(5)
    model = Ranker(FEATURES, seed=5)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    history = model.fit(LISTS.to_dataset(3).cache(), epochs=15, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert set(history) == {"loss", "ndcg_10", "mrr"}  # Nothing is regularized.
    assert set(model.inputs_of_lists.embeddings.table("items").export()[0]) == {1, 2, 3, 4, 5}


def test_a_batch_without_labels():
    (batch,) = LISTS.to_dataset(3)
    with pytest.raises(ValueError, match=r"must have labels as 'label'\. Received: history, item"):
        made().compute_loss({name: value for name, value in batch.items() if name != "label"})
