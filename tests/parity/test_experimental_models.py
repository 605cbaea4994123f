"""The experimental ranking model against TFRS: predictions, logs and training."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.experimental.models import Ranking
from recs.layers.blocks import MLP
from recs.layers.feature_interaction import Cross
from recs.tasks import Ranking as RankingTask
from tests.parity.peer import Case, run_tfrs

ROWS, SIZE = 12, 10


def _case(kind: str, concat_dense: bool, keep_axis: bool, names: list[str], seed: int) -> Case:
    rng = np.random.default_rng(seed)
    arrays = {name: rng.integers(0, SIZE, ROWS) for name in names}
    arrays["dense"] = rng.normal(size=(ROWS, 3)).astype("float32")
    arrays["labels"] = rng.integers(0, 2, ROWS).astype("float32")
    options = {
        "kind": kind,
        "concat_dense": concat_dense,
        "keep_axis": keep_axis,
        "names": names,
        "width": 5 if kind == "dcn" else 16,
    }
    return Case("ranking_model", options, arrays)


# Features out of order: embeddings are sorted by name.
CASES = {
    "dlrm": _case("dlrm", True, False, ["user", "ad"], 1),
    "dlrm-without-dense": _case("dlrm", False, True, ["user", "ad", "place"], 2),
    "dcn": _case("dcn", True, True, ["b", "a"], 3),
    "dcn-without-dense": _case("dcn", False, False, ["a"], 4),
    "rating": _case("rating", True, False, ["user", "item"], 5),
}


@pytest.fixture(scope="module")
def tfrs():
    # Their weights are megabytes: not recorded.
    return run_tfrs(None, CASES, "tfrs_experimental_side.py")


class Embeddings(keras.layers.Layer):
    """The layer that a user of TFRS writes."""

    def __init__(self, names, width, keep_axis):
        super().__init__()
        self.of = {name: keras.layers.Embedding(SIZE, width) for name in names}
        self.keep_axis = keep_axis

    def call(self, features):
        ids = {n: x[:, None] if self.keep_axis else x for n, x in features.items()}
        return {n: self.of[n](x) for n, x in ids.items()}


def made(options) -> tuple[Ranking, list]:
    embeddings = Embeddings(options["names"], options["width"], options["keep_axis"])
    arguments = {"embedding_layer": embeddings, "concat_dense": options["concat_dense"]}
    if options["kind"] == "dcn":
        arguments["bottom_stack"] = MLP([4, 6], final_activation="relu")
        arguments["feature_interaction"] = keras.Sequential([keras.layers.Concatenate(), Cross()])
    if options["kind"] == "rating":
        loss = keras.losses.MeanSquaredError()
        rmse = keras.metrics.RootMeanSquaredError(name="rmse")
        arguments["task"] = RankingTask(loss=loss, metrics=[rmse])
        arguments["top_stack"] = MLP([5, 1])
    model = Ranking(**arguments)
    parts = [embeddings.of[name] for name in options["names"]]
    parts += [model._bottom_stack, model._feature_interaction, model._top_stack]
    return model, parts


def checked_weights(parts, theirs, letter):
    """Yields each weight of the parts and what TFRS has in its place."""
    names = set()
    for p, part in enumerate(parts):
        for i, weight in enumerate(part.weights):
            names.add(f"{letter}{p}_{i}")
            yield weight, theirs[f"{letter}{p}_{i}"]
    assert names == {n for n in theirs if n.startswith(letter) and "_" in n}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_ranking(name, tfrs):
    case, theirs = CASES[name], tfrs[name]
    model, parts = made(case.options)
    x = {"dense_features": tf.constant(case.arrays["dense"])}
    x["sparse_features"] = {n: tf.constant(case.arrays[n]) for n in case.options["names"]}
    model(x)
    for weight, value in checked_weights(parts, theirs, "w"):
        weight.assign(value)
    np.testing.assert_allclose(model(x), theirs["prediction"], rtol=1e-5, atol=1e-6)
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    for step in range(5):
        logs = model.train_on_batch(x, case.arrays["labels"], return_dict=True)
        np.testing.assert_allclose(logs["total_loss"], theirs[f"loss{step}"], rtol=1e-5)
    for weight, value in checked_weights(parts, theirs, "v"):
        np.testing.assert_allclose(weight.numpy(), value, rtol=1e-4, atol=1e-5)
    measured = {key[4:]: value for key, value in theirs.items() if key.startswith("log_")}
    assert measured.keys() <= logs.keys()
    for key, value in measured.items():
        np.testing.assert_allclose(logs[key], value, rtol=1e-4, err_msg=key)
    assert len(model.dense_trainable_variables) == theirs["dense_variables"]
    assert len(model.embedding_trainable_variables) == theirs["embedding_variables"]
