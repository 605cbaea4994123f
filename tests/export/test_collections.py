"""Models with many features are exported whole, with stock ops and with the compiled op."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.export import saved_model
from recs.layers import EmbeddingCollection, FeatureConfig, TableConfig
from tests.export import serving


def made(rng, kind=keras.Model) -> keras.Model:
    """Dense, ragged and sparse features, strings and integers, of three tables."""
    items = TableConfig("items", 3, default_value=0.5)
    words = TableConfig("words", 2, key_dtype="string", combiner="sqrtn")
    users = TableConfig("users", 4, combiner=None)
    layer = EmbeddingCollection(
        [
            FeatureConfig("item", items, combiner=None),
            FeatureConfig("seen", items, max_length=2),
            FeatureConfig("rated", items, combiner="sum", max_length=2),
            FeatureConfig("last", items, combiner=None, max_length=2),
            FeatureConfig("words", words, mask_key=""),
            FeatureConfig("user", users),
        ]
    )
    layer.table("items").upsert(np.arange(10), rng.normal(size=(10, 3)))
    layer.table("users").upsert([-(2**63), 7], rng.normal(size=(2, 4)))
    layer.table("words").upsert(["a", "b\0c", ""], rng.normal(size=(3, 2)))
    inputs = {
        "item": keras.Input((), dtype="int64", name="item"),
        "seen": keras.Input((None,), dtype="int64", name="seen", ragged=True),
        "rated": keras.Input((None,), dtype="int64", name="rated", sparse=True),
        "last": keras.Input((None,), dtype="int64", name="last", ragged=True),
        "words": keras.Input((3,), dtype="string", name="words"),
        "user": keras.Input((), dtype="int64", name="user"),
    }
    found = layer(inputs)
    joined = keras.layers.Concatenate()(
        [keras.layers.Flatten()(found["last"]), *(found[n] for n in inputs if n != "last")]
    )
    return kind(inputs, {"score": keras.layers.Dense(2)(joined), "user": found["user"]})


LENGTHS = np.array([3, 0, 1])
BAGS = np.array([[1, 2, 3], [9, 9, 9], [77, 9, 9]])
REQUEST = {
    "item": np.array([3, 99, 0]),
    "seen": BAGS,
    "seen_lengths": LENGTHS,
    "rated": BAGS,
    "rated_lengths": LENGTHS,
    "last": BAGS,
    "last_lengths": LENGTHS,
    "words": np.array([[b"a", b"", b"b\x00c"], [b"", b"", b""], [b"?", b"a", b"a"]], object),
    "user": np.array([7, -(2**63), 1]),
}


def called_with() -> dict:
    ragged = tf.RaggedTensor.from_tensor(tf.constant(BAGS), LENGTHS)
    batch = {name: tf.constant(REQUEST[name]) for name in ("item", "words", "user")}
    return {**batch, "seen": ragged, "last": ragged, "rated": ragged.to_sparse()}


def assert_answer(answer: dict, expected: dict) -> None:
    assert set(answer) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(answer[name], value, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [keras.Model, recs.Model])
def test_processes_without_recs_predict_the_same(tmp_path, rng, kind):
    model = made(rng, kind)
    path = saved_model(model, tmp_path / "1")
    expected = {name: np.asarray(value) for name, value in model(called_with()).items()}
    assert not [op for op in serving.all_ops(path) if op.startswith("Recs")]
    for ask in (serving.ask_without_recs, serving.ask_c_api):
        (answer,) = ask([(path, "serving_default", REQUEST)], tmp_path)
        assert_answer(answer, expected)


def test_the_compiled_op_serves_tables_of_its_own(tmp_path, rng):
    model = made(rng)
    expected = {name: np.asarray(value) for name, value in model(called_with()).items()}
    path = saved_model(model, tmp_path / "1", stock_ops=False)
    for layer in model.layers:
        if isinstance(layer, EmbeddingCollection):
            for table in layer.tables:
                table.clear()
    assert {"RecsTable", "RecsTablesFind", "RecsTableRestore"} <= serving.all_ops(path)
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    answer = serve(**{name: tf.constant(value) for name, value in REQUEST.items()})
    assert_answer({name: value.numpy() for name, value in answer.items()}, expected)


@pytest.mark.parametrize("row_dtype", ["float16", "int8"])
def test_narrow_rows(tmp_path, rng, row_dtype):
    model = made(rng)
    path = saved_model(model, tmp_path / "1", row_dtype=row_dtype)
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    answer = serve(**{name: tf.constant(value) for name, value in REQUEST.items()})
    expected = model(called_with())["user"]
    assert 0 < np.abs(answer["user"] - expected).max() < 0.02
