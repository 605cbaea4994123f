"""Lists in memory: batches, their padding, cutting and shuffling, and their errors."""

import itertools
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists

SIZES = [3, 0, 1, 5]
SPLITS = np.concatenate([[0], np.cumsum(SIZES)])
FEATURES = RankingFeatures(
    context=[RankingFeature("number", "ids")],
    examples=[
        RankingFeature("item", "ids", padding=-5),
        RankingFeature("tags", "sequence", dtype="string"),
        RankingFeature("pair", shape=(2,), default=[8.0, 9.0]),
    ],
    weight="seen",
)


def lists(sizes=SIZES):
    count = sum(sizes)
    examples = {
        "item": np.arange(count),
        "tags": [["t"] * (i % 3) for i in range(count)],
        "pair": np.arange(2.0 * count).reshape(count, 2),
        "label": np.arange(count) % 2,
        "seen": np.full(count, 0.5),
    }
    splits = np.concatenate([[0], np.cumsum(sizes, dtype=int)])
    return RankingLists(FEATURES, {"number": np.arange(len(sizes))}, examples, splits)


def padded(of_items, fill, size):
    rows = [of_items[a:b] for a, b in itertools.pairwise(SPLITS)]
    return [(list(row) + [fill] * size)[:size] for row in rows]


@pytest.mark.parametrize("list_size", [None, 2, 7])
def test_batches_are_cut_and_padded(list_size):
    (batch,) = lists().to_dataset(4, list_size=list_size)
    size, count = list_size or 5, sum(SIZES)
    assert batch["number"].numpy().tolist() == [0, 1, 2, 3]
    assert batch["item"].numpy().tolist() == padded(list(range(count)), -5, size)
    pairs = np.arange(2.0 * count).reshape(count, 2).tolist()
    assert batch["pair"].numpy().tolist() == padded(pairs, [8.0, 9.0], size)
    tags = padded([[b"t"] * (i % 3) for i in range(count)], [], size)
    assert batch["tags"].to_list() == tags
    assert batch["label"].numpy().tolist() == padded([i % 2 for i in range(count)], -1.0, size)
    assert batch["seen"].numpy().tolist() == padded([0.5] * count, 0.0, size)
    assert batch["mask"].numpy().tolist() == padded([True] * count, False, size)


def test_without_a_list_size_a_batch_is_as_wide_as_its_longest_list():
    widths = [batch["mask"].shape[1] for batch in lists().to_dataset(2)]
    assert widths == [3, 5]
    assert lists().to_dataset(2, list_size=4).element_spec["pair"].shape == (None, 4, 2)
    assert len(lists().to_dataset(3)) == 2
    assert len(lists().to_dataset(3, drop_remainder=True)) == 1
    assert not list(lists([]).to_dataset(2))


def orders(dataset):
    return [batch["item"].numpy().tolist() for batch in dataset]


def test_items_are_shuffled_anew_each_epoch_before_they_are_cut():
    whole = lists([40, 2])
    dataset = whole.to_dataset(2, list_size=6, shuffle_examples=True, seed=1)
    ((first, short),), ((second, _),) = orders(dataset), orders(dataset)
    assert first != second
    assert max(first) > 6
    assert len(set(first)) == 6
    assert sorted(short[:2]) == [40, 41]
    assert short[2:] == [-5] * 4
    again = whole.to_dataset(2, list_size=6, shuffle_examples=True, seed=1)
    assert orders(again)[0][0] == first
    other = whole.to_dataset(2, list_size=6, shuffle_examples=True, seed=2)
    assert orders(other)[0][0] != first
    (batch,) = again
    there = batch["mask"].numpy()
    items = np.where(there, batch["item"], 0)
    np.testing.assert_array_equal(batch["label"], np.where(there, items % 2, -1))
    np.testing.assert_array_equal(batch["pair"][..., 0].numpy()[there], 2.0 * items[there])


def test_shuffling_gives_every_order_alike():
    whole = lists([3] * 6000)
    (batch,) = whole.to_dataset(6000, shuffle_examples=True, seed=4)
    order = batch["item"].numpy() - 3 * np.arange(6000)[:, None]
    _, counts = np.unique(order, axis=0, return_counts=True)
    assert len(counts) == 6
    # 1000 of each are expected, with a standard deviation of 29.
    assert abs(counts - 1000).max() < 150


def test_lists_are_shuffled_whole():
    dataset = lists([2] * 50).to_dataset(50, shuffle=True, seed=3)
    (first,), (second,) = list(dataset), list(dataset)
    numbers = first["number"].numpy()
    assert numbers.tolist() != sorted(numbers)
    assert numbers.tolist() != second["number"].numpy().tolist()
    assert sorted(numbers) == list(range(50))
    np.testing.assert_array_equal(first["item"], 2 * numbers[:, None] + [0, 1])


def test_for_a_plain_keras_model_labels_and_weights_stand_beside():
    ((inputs, labels, weights),) = lists().to_dataset(4, supervised=True)
    assert {"label", "seen"}.isdisjoint(inputs)
    assert labels.shape == weights.shape == (4, 5)


def test_take_and_pickle():
    some = pickle.loads(pickle.dumps(lists())).take([3, 0])
    assert some.row_splits.tolist() == [0, 5, 8]
    assert some.examples["item"].tolist() == [4, 5, 6, 7, 8, 0, 1, 2]
    assert some.context["number"].tolist() == [3, 0]
    assert len(lists().take(np.array([True, False, False, False]))) == 1
    config = RankingFeatures.from_config(some.features.get_config())
    assert config == some.features


def test_rows_of_a_query_become_a_list():
    features = RankingFeatures(
        [RankingFeature("user", "ids")], [RankingFeature("tags", "sequence")]
    )
    columns = {"user": [5, 6, 5], "tags": [[1], [], [2, 3]], "label": [0, 1, 2]}
    found = RankingLists.from_rows(features, columns, query=["b", "a", "b"])
    assert found.row_splits.tolist() == [0, 2, 3]
    assert found.context["user"].tolist() == [5, 6]
    assert found.examples["tags"].to_list() == [[1], [2, 3], []]
    assert found.examples["label"].tolist() == [0, 2, 1]
    with pytest.raises(ValueError, match=r"another value in row 2, of query 'b'"):
        RankingLists.from_rows(features, {**columns, "user": [5, 6, 7]}, ["b", "a", "b"])


def test_the_query_may_be_named():
    features = RankingFeatures(examples=[RankingFeature("price")])
    columns = {"price": [1.0, 2.0, 3.0], "label": [0, 1, 0], "search": ["b", "a", "b"]}
    found = RankingLists.from_rows(features, columns, "search")
    assert found.examples["price"].tolist() == [1.0, 3.0, 2.0]
    with pytest.raises(ValueError, match="`query` must name a column: price, label, search"):
        RankingLists.from_rows(features, columns, "q")
    with pytest.raises(ValueError, match="`query` must have a value for each row"):
        RankingLists.from_rows(features, columns, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": None}, "'item' must be among the columns"),
        ({"item": [1.5] * 9}, "Column 'item' must hold int64"),
        ({"item": ["a"] * 9}, "Column 'item' must hold int64"),
        ({"item": [True] * 9}, "Column 'item' must hold int64. Received: dtype bool"),
        ({"item": np.zeros(9, "datetime64[s]")}, "Received: dtype datetime64"),
        ({"pair": np.zeros((9, 2), "datetime64[s]")}, "Column 'pair' must hold float32"),
        ({"pair": np.zeros((9, 3))}, r"Column 'pair' must be \(9, 2\). Received: \(9, 3\)"),
        ({"label": np.zeros(8)}, r"Column 'label' must be \(9,\)"),
        ({"tags": [["t"]] * 8}, r"Column 'tags' must be \(9,\). Received: 8 rows"),
    ],
)
def test_columns_that_do_not_fit(change, message):
    examples = {**lists().examples, **change}
    examples = {name: value for name, value in examples.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        RankingLists(FEATURES, lists().context, examples, SPLITS)


def test_splits_and_weights_that_do_not_fit():
    with pytest.raises(ValueError, match="`row_splits` must rise from 0"):
        RankingLists(FEATURES, lists().context, lists().examples, [0, 3, 2, 4, 9])
    weighed = RankingFeatures(examples=[RankingFeature("history", "sequence", weights="seconds")])
    examples = {"history": [[1, 2]], "seconds": [[0.5]], "label": [1]}
    with pytest.raises(ValueError, match="'seconds' must have one number an id"):
        RankingLists(weighed, {}, examples, [0, 1])
    with pytest.raises(ValueError, match="`list_size` must be a positive integer"):
        lists().to_dataset(2, list_size=0)


def test_a_plain_keras_model_learns_from_them():
    keras.utils.set_random_seed(1)
    features = RankingFeatures(examples=[RankingFeature("x", shape=(2,))])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    found = RankingLists(features, {}, {"x": x, "label": x[:, 0] > 0}, np.arange(0, 61, 5))
    inputs = keras.Input((None, 2), name="x")
    outputs = keras.ops.squeeze(keras.layers.Dense(1)(inputs), -1)
    model = keras.Model({"x": inputs}, outputs)
    model.compile("adam", loss="mse")
    pairs = found.to_dataset(4, supervised=True).map(lambda batch, y: ({"x": batch["x"]}, y))
    assert np.isfinite(model.fit(pairs, verbose=0, shuffle=False).history["loss"]).all()
    assert isinstance(pairs, tf.data.Dataset)
