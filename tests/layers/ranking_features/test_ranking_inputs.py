import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
from recs.layers import TableConfig
from recs.layers.ranking_features import RankingInputs, list_inputs

IDS = np.arange(1, 10)
ROWS = np.random.default_rng(0).normal(size=(10, 3)).astype("float32")  # by id; 0 is padding
HISTORY = [[1, 2, 3], [], [4, 9]]
WEIGHTS = [[1.0, 2.0, 0.5], [], [3.0, 1.0]]
TAGS = [[[5], [6, 7]], [[8, 1, 2], []], [[], [9]]]
ITEM = np.array([[1, 2], [3, 0], [4, 5]])
MASK = np.array([[True, True], [True, False], [True, True]])
PRICE = np.arange(12.0).reshape(3, 2, 2)


def description(combiner, weights=None, query=None):
    history = RankingFeature(
        "history", "sequence", table="items", combiner=combiner, weights=weights, query=query
    )
    tags = RankingFeature("tags", "sequence", table="items", combiner=combiner, query=query)
    item = RankingFeature("item", "ids", table="items")
    price = RankingFeature("price", shape=(2,))
    return RankingFeatures(context=[history], examples=[tags, item, price])


def layer_of(features):
    layer = RankingInputs(features, [TableConfig("items", 3, optimizer="sgd")])
    layer.embeddings.table("items").upsert(IDS, ROWS[1:])
    return layer


def batch():
    return {
        "history": tf.ragged.constant(HISTORY, tf.int64),
        "seconds": tf.ragged.constant(WEIGHTS, tf.float32),
        "tags": tf.ragged.constant(TAGS, tf.int64, inner_shape=()),
        "item": ITEM,
        "price": PRICE,
        "mask": MASK,
        "label": np.zeros((3, 2)),
    }


def pooled(ids, combiner, weights=None):
    w = np.ones(len(ids)) if weights is None else np.array(weights)
    if not len(ids):
        return np.zeros(3)
    scale = {"sum": 1.0, "mean": w.sum(), "sqrtn": np.sqrt((w**2).sum())}[combiner]
    return (w[:, None] * ROWS[ids]).sum(0) / scale


def attended(ids, query):
    if not len(ids):
        return np.zeros(3)
    scores = np.exp(ROWS[ids] @ ROWS[query] / np.sqrt(3))
    return (scores / scores.sum()) @ ROWS[ids]


def expected(of_history, of_tags):
    out = np.zeros((3, 2, 11))
    for b, j in zip(*np.nonzero(MASK), strict=True):
        parts = [of_history(b, j), of_tags(b, j), ROWS[ITEM[b, j]], PRICE[b, j]]
        out[b, j] = np.concatenate(parts)
    return out


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn"])
@pytest.mark.parametrize("weights", [None, "seconds"])
def test_sequences_are_pooled_in_context_and_items(combiner, weights):
    found = layer_of(description(combiner, weights))(batch())
    want = expected(
        lambda b, j: pooled(HISTORY[b], combiner, WEIGHTS[b] if weights else None),
        lambda b, j: pooled(TAGS[b][j], combiner),
    )
    np.testing.assert_allclose(found["features"], want, atol=1e-5)
    np.testing.assert_array_equal(found["mask"], MASK)


def test_items_attend_to_a_history():
    found = layer_of(description("attention", query="item"))(batch())
    want = expected(
        lambda b, j: attended(HISTORY[b], ITEM[b, j]), lambda b, j: attended(TAGS[b][j], ITEM[b, j])
    )
    np.testing.assert_allclose(found["features"], want, atol=1e-5)


def test_sequences_are_left_to_the_scorer():
    found = layer_of(description(None))(batch())
    assert found["features"].shape == (3, 2, 5)
    assert found["history"].shape == (3, 3, 3)
    assert found["tags"].shape == (3, 2, 3, 3)
    for b in range(3):
        for t in range(3):
            there = t < len(HISTORY[b])
            assert found["history_mask"][b, t] == there
            want = ROWS[HISTORY[b][t]] if there else np.zeros(3)
            np.testing.assert_allclose(found["history"][b, t], want)
            for j in range(2):
                there = bool(MASK[b, j]) and t < len(TAGS[b][j])
                assert found["tags_mask"][b, j, t] == there
                want = ROWS[TAGS[b][j][t]] if there else np.zeros(3)
                np.testing.assert_allclose(found["tags"][b, j, t], want)


def test_more_padding_changes_nothing():
    more = {
        **batch(),
        "item": np.pad(ITEM, [(0, 0), (0, 2)]),
        "mask": np.pad(MASK, [(0, 0), (0, 2)]),
    }
    more["price"] = np.pad(PRICE, [(0, 0), (0, 2), (0, 0)])
    more["tags"] = tf.ragged.constant([[*one, [], []] for one in TAGS], tf.int64)
    for combiner, query in (("mean", None), ("attention", "item")):
        layer = layer_of(description(combiner, query=query))
        short, long = layer(batch())["features"], layer(more)["features"]
        np.testing.assert_allclose(long[:, :2], short, atol=1e-6)
        assert not np.any(long[:, 2:])


def test_padded_items_get_no_row():
    layer = RankingInputs(description("mean"), [TableConfig("items", 3)])
    layer(batch(), training=True)
    assert sorted(layer.embeddings.table("items").export()[0]) == list(range(1, 10))


def test_only_the_first_ids_of_a_sequence_count():
    short = RankingFeature("history", "sequence", table="items", max_length=2, combiner=None)
    features = RankingFeatures([short], [RankingFeature("item", "ids", table="items")])
    assert layer_of(features)(batch())["history"].shape == (3, 2, 3)


def test_a_model_of_it_trains_from_a_dataset_and_is_saved(tmp_path):
    class Scorer(recs.Model):
        def __init__(self):
            super().__init__()
            self.inputs_layer = layer_of(description("mean"))
            self.dense = keras.layers.Dense(1)

        def call(self, inputs, training=None):
            return self.dense(self.inputs_layer(inputs, training=training)["features"])[..., 0]

        def compute_loss(self, inputs, training=False):
            errors = (self(inputs, training=training) - 1.0) ** 2
            return keras.ops.mean(errors)

    model = Scorer()
    model.compile(optimizer=keras.optimizers.SGD(0.003))
    data = tf.data.Dataset.from_tensors(batch()).repeat(20)
    history = model.fit(data, epochs=2, verbose=0).history["loss"]
    assert history[1] < history[0]
    _, rows = model.inputs_layer.embeddings.table("items").export()
    assert not np.allclose(np.sort(rows, 0), np.sort(ROWS[1:], 0))
    layer = layer_of(description("mean"))
    copy = RankingInputs.from_config(layer.get_config())
    assert copy.features == layer.features


@pytest.mark.parametrize("combiner", ["mean", None])
def test_in_a_functional_model_that_is_saved(combiner, tmp_path):
    features = description(combiner)
    inputs = list_inputs(features)
    outputs = layer_of(features)(inputs)
    assert outputs["features"].shape == (None, None, 11 if combiner else 5)
    if combiner is None:
        assert outputs["tags"].shape == (None, None, None, 3)
        assert outputs["history_mask"].shape == (None, None)
    model = keras.Model(inputs, outputs)
    given = {
        name: tf.constant(value) if isinstance(value, np.ndarray) else value
        for name, value in batch().items()
        if name in inputs
    }
    want = layer_of(features)(batch())
    model.save(tmp_path / "m.keras")
    for one in (model, keras.models.load_model(tmp_path / "m.keras")):
        found = one(given)
        assert set(found) == set(want)
        for name in want:
            np.testing.assert_allclose(found[name], want[name], atol=1e-5)


@pytest.mark.slow
def test_a_functional_model_learns_from_lists():
    features = RankingFeatures(
        [RankingFeature("history", "sequence", table="items")],
        [RankingFeature("item", "ids", table="items"), RankingFeature("price")],
    )
    inputs = list_inputs(features)
    vectors = layer_of(features)(inputs)
    scores = keras.ops.squeeze(keras.layers.Dense(1)(vectors["features"]), -1)
    model = keras.Model(inputs, scores)
    model.compile(keras.optimizers.Adam(0.05), loss=recs.losses.SoftmaxLoss())
    examples = {"item": [1, 2, 3], "price": [1.0, 0.0, 2.0], "label": [1, 0, 1]}
    lists = RankingLists(features, {"history": [[4], []]}, examples, [0, 2, 3])
    data = lists.to_dataset(2, supervised=True)
    losses = model.fit(data, epochs=10, verbose=0, shuffle=False).history["loss"]
    assert losses[-1] < losses[0]


def test_ragged_numbers_and_ids_of_items_are_padded():
    features = RankingFeatures(
        [], [RankingFeature("item", "ids", table="items"), RankingFeature("price", shape=(2,))]
    )
    ragged = {
        "item": tf.RaggedTensor.from_tensor(ITEM, [2, 1, 2]),
        "price": tf.RaggedTensor.from_tensor(PRICE, [2, 1, 2]),
    }
    layer = layer_of(features)
    found = layer(ragged)
    want = layer({"item": ITEM, "price": PRICE, "mask": MASK})
    np.testing.assert_array_equal(found["mask"], MASK)
    np.testing.assert_allclose(found["features"], want["features"])


def test_wrong_arguments():
    with pytest.raises(ValueError, match="must have the table of feature 'history'"):
        RankingInputs(description("mean"), [TableConfig("users", 3)])
    with pytest.raises(ValueError, match="no item, price among history, tags"):
        layer_of(description("mean"))({name: batch()[name] for name in ("history", "tags")})
