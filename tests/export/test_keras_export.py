"""The export with the compiled op: by Keras with a warning, and by `stock_ops=False` without."""

from __future__ import annotations

import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.export import saved_model
from recs.layers import DynamicEmbedding
from tests.export import serving
from tests.harness.new_process import run_code

IDS = np.array([[5, -7, 5], [8, 2**63 - 1, 0]])
LOADED = """
import json, sys
import tensorflow as tf
from recs.ops.library import ops
ops()
answers = []
for path in json.loads(sys.argv[1]):
    serve = tf.saved_model.load(path).signatures["serving_default"]
    found = serve(ids=tf.constant(json.loads(sys.argv[2]), tf.int64))
    answers.append({name: value.numpy().tolist() for name, value in found.items()})
print("answers", json.dumps(answers))
"""


def made(rng):
    numbers = DynamicEmbedding(3, combiner="mean", default_value=0.5)
    texts = DynamicEmbedding(2, key_dtype="string", name="texts")
    ids = keras.Input((3,), dtype="int64", name="ids")
    as_text = keras.layers.Lambda(tf.strings.as_string, output_shape=(3,), dtype="string")
    outputs = [keras.layers.Dense(2)(numbers(ids)), texts(as_text(ids))]
    model = keras.Model(ids, outputs)
    numbers.table.upsert([5, -7, 2**63 - 1], rng.normal(size=(3, 3)))
    texts.table.upsert(["5", "0"], rng.normal(size=(2, 2)))
    return model, numbers, texts


@pytest.mark.slow
def test_another_process_with_the_op_predicts_the_same(tmp_path, rng):
    model, numbers, _ = made(rng)
    model.compile("adam", ["mse", "mse"])
    model.fit(IDS, [np.zeros((2, 2)), np.zeros((2, 3, 2))], verbose=0)
    with pytest.warns(UserWarning, match=r"written by `recs.export.saved_model\(model, path\)`"):
        model.export(tmp_path / "keras", verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved_model(model, tmp_path / "ours", stock_ops=False)
    expected = [value.numpy() for value in model(IDS)]
    numbers.table.clear()
    paths = [str(tmp_path / "keras"), str(tmp_path / "ours")]
    output = run_code(LOADED, json.dumps(paths), json.dumps(IDS.tolist()))
    for answer in json.loads(output.partition("answers ")[2]):
        for i, value in enumerate(expected):
            np.testing.assert_allclose(answer[f"output_{i}"], value, rtol=1e-6, atol=1e-7)
    for path, restores in zip(paths, ("RecsTableDeserialize", "RecsTableRestore"), strict=True):
        assert {"RecsTable", "RecsTablesFind", restores} <= serving.all_ops(path)


def test_each_loaded_model_has_tables_of_its_own(tmp_path, rng):
    model, numbers, _ = made(rng)
    path = saved_model(model, tmp_path / "1", stock_ops=False)
    expected = model(IDS)[0].numpy()
    ids = tf.constant(IDS)
    first, second = (tf.saved_model.load(str(path)).signatures["serving_default"] for _ in range(2))
    numbers.table.clear()
    for serve in (first, second):
        np.testing.assert_allclose(serve(ids=ids)["output_0"], expected, rtol=1e-6)


def test_a_session_that_has_the_op_keeps_its_tables_from_request_to_request(tmp_path, rng):
    model, numbers, texts = made(rng)
    path = str(saved_model(model, tmp_path / "1", stock_ops=False))
    expected = [value.numpy() for value in model(IDS)]
    for table in (numbers.table, texts.table):
        table.clear()
    for _ in range(2):  # sessions share no tables
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], path)
            signature = loaded.signature_def["serving_default"]
            names = [signature.outputs[f"output_{i}"].name for i in range(2)]
            for _ in range(2):
                answers = session.run(names, {signature.inputs["ids"].name: IDS})
                for answer, value in zip(answers, expected, strict=True):
                    np.testing.assert_allclose(answer, value, rtol=1e-6)


def test_checkpoints_and_keras_files_do_not_warn(tmp_path, rng):
    model, _, _ = made(rng)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*recs.export.*")
        tf.train.Checkpoint(model=model).write(str(tmp_path / "checkpoint"))
        model.save_weights(tmp_path / "model.weights.h5")


def test_the_warning_in_full(tmp_path, rng):
    model, _, _ = made(rng)
    with pytest.warns(UserWarning, match="A SavedModel with") as caught:
        model.export(tmp_path / "1", verbose=False)
    texts = {str(w.message) for w in caught if "recs" in str(w.message)}
    assert (
        "A SavedModel with an embedding table runs in an unmodified TensorFlow Serving only when "
        "it is written by `recs.export.saved_model(model, path)`. Received: an export that needs "
        "the compiled op wherever it is loaded (in table 'texts'). Use that call, with "
        "`stock_ops=False` where the op is wanted."
    ) in texts
    assert len(texts) == 2
