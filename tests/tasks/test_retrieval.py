"""`Retrieval` against the formula in NumPy; its options against TFRS are in tests/parity."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.losses.functional.in_batch_rows import Rows
from recs.metrics import FactorizedTopK
from recs.tasks import Retrieval


def _formula(queries, candidates, weight=None):
    scores = queries.astype("float64") @ candidates.astype("float64").T
    top = scores.max(axis=1, keepdims=True)
    total = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0] - np.diagonal(scores)
    return (total * (1.0 if weight is None else weight)).sum()


@pytest.fixture
def pair(rng):
    return rng.normal(size=(6, 4)).astype("float32"), rng.normal(size=(9, 4)).astype("float32")


@pytest.mark.parametrize("shape", [None, (6,), (6, 1)])
def test_formula(pair, rng, shape):
    weight = None if shape is None else rng.random(6).astype("float32")
    given = None if weight is None else weight.reshape(shape)
    loss = Retrieval()(*pair, sample_weight=given)
    np.testing.assert_allclose(loss, _formula(*pair, weight), rtol=1e-5)


def _shapes_made(function, *args):
    graph = tf.function(function).get_concrete_function(*args).graph
    return [
        (op.type, tuple(out.shape))
        for op in graph.get_operations()
        for out in op.outputs
        if out.shape.rank == 2 and tuple(out.shape) == (64, 64)
    ]


def test_no_label_matrix_is_made():
    task, specs = Retrieval(), [tf.TensorSpec((64, 3))] * 2

    def step(q, c):
        with tf.GradientTape() as tape:
            tape.watch([q, c])
            loss = task(q, c)
        return loss, tape.gradient(loss, [q, c])

    made = {kind for kind, _ in _shapes_made(step, *specs)}
    assert not made & {"OneHot", "MatrixDiagV3", "MatrixSetDiagV3", "ScatterNd", "Fill", "Equal"}
    labelled = Retrieval(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    assert "OneHot" in {kind for kind, _ in _shapes_made(lambda q, c: labelled(q, c), *specs)}


@pytest.mark.parametrize("n", [None, 0, -3, 100])
def test_all_negatives_are_kept(pair, n):
    for loss in (None, keras.losses.CategoricalCrossentropy(from_logits=True, reduction="sum")):
        got = Retrieval(loss=loss, num_hard_negatives=n)(*pair)
        np.testing.assert_allclose(got, _formula(*pair), rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision(policy):
    # Scores up to 4 * 200^2 = 160000, beyond float16.
    keras.config.set_dtype_policy(policy)
    half = np.array([[200.0] * 4, [100.0] * 4, [-200.0] * 4], "float16")
    ids = np.array([1, 2, 1])
    mask = np.ones((3, 3), bool)
    mask[1, 0] = False
    for options in ({}, {"remove_accidental_hits": True}, {"num_hard_negatives": 1}):
        task = Retrieval(temperature=1e4, **options)
        queries = tf.constant(half)
        with tf.GradientTape() as tape:
            tape.watch(queries)
            loss = task(queries, queries, candidate_ids=ids, score_mask=mask)
        assert loss.dtype == tf.float32
        wide = Retrieval(temperature=1e4, **options, dtype="float32")(
            half.astype("float32"), half.astype("float32"), candidate_ids=ids, score_mask=mask
        )
        np.testing.assert_allclose(loss, wide, rtol=1e-5)
        assert np.isfinite(tape.gradient(loss, queries).numpy().astype("float32")).all()


def test_small_probabilities_survive_mixed_precision(pair):
    keras.config.set_dtype_policy("mixed_float16")
    p = np.full(9, 1e-6, "float32")
    p[0] = 1.0
    got = Retrieval()(*pair, candidate_sampling_probability=p)
    shift = np.where(np.arange(9) == 0, 0.0, -np.log(1e-6))
    scores = pair[0].astype("float64") @ pair[1].T + shift
    want = (np.log(np.exp(scores).sum(axis=1)) - np.diagonal(scores)).sum()
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("labelled", [False, True])
def test_probability_is_differentiated(pair, labelled):
    # d loss / d log p_j = - sum_i (softmax_ij - [i = j]), in either way through the task.
    p = tf.constant(np.linspace(0.1, 0.9, 9), tf.float32)
    batch_metrics = [keras.metrics.CategoricalAccuracy()] if labelled else None
    with tf.GradientTape() as tape:
        tape.watch(p)
        loss = Retrieval(batch_metrics=batch_metrics)(*pair, candidate_sampling_probability=p)
    scores = pair[0] @ pair[1].T - np.log(p)
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    want = -(softmax - np.eye(6, 9)).sum(axis=0) / p
    np.testing.assert_allclose(tape.gradient(loss, p), want, rtol=1e-4, atol=1e-5)


def test_extremes(pair):
    assert float(Retrieval()(np.zeros((0, 4), "float32"), np.zeros((0, 4), "float32"))) == 0.0
    assert float(Retrieval()(pair[0][:1], pair[1][:1])) == 0.0
    huge = np.eye(3, dtype="float32") * 1e4
    assert float(Retrieval()(huge, huge)) == 0.0
    queries = tf.constant(huge)
    with tf.GradientTape() as tape:
        tape.watch(queries)
        loss = Retrieval()(queries, -queries)
    assert np.isfinite(loss.numpy())
    assert np.isfinite(tape.gradient(loss, queries).numpy()).all()
    same = np.ones((4, 2), "float32")
    np.testing.assert_allclose(Retrieval()(same, same), 4 * np.log(4), rtol=1e-6)


def _corpus(pair, ids=None):
    parts = pair[1] if ids is None else (ids, pair[1])
    return FactorizedTopK(tf.data.Dataset.from_tensor_slices(parts).batch(4), ks=(1,))


def test_extra_negatives_with_ids_and_metrics(pair):
    # TFRS fails here: it hands the metric nine ids for six queries.
    ids = np.array([f"i{i}" for i in range(9)])
    task = Retrieval(metrics=_corpus(pair, ids))
    task(*pair, candidate_ids=ids)
    want = np.mean((pair[0] @ pair[1].T).argmax(axis=1) == np.arange(6))
    np.testing.assert_allclose(task.factorized_metrics[0].result(), [want], rtol=1e-6)


def test_flags_and_positional_arguments(pair):
    in_batch, of_loss = keras.metrics.CategoricalAccuracy(), keras.metrics.Mean()
    corpus = _corpus(pair)
    task = Retrieval(metrics=corpus, batch_metrics=[in_batch], loss_metrics=[of_loss])
    task(*pair, None, None, None, False, False)
    assert [float(m.count) for m in (*corpus.metrics, in_batch, of_loss)] == [0, 0, 1]
    task(*pair, compute_batch_metrics=False)
    assert [float(m.count) for m in (*corpus.metrics, in_batch, of_loss)] == [6, 0, 2]
    task(np.stack([pair[0]] * 2, axis=1), pair[1])
    assert [float(m.count) for m in (*corpus.metrics, in_batch, of_loss)] == [6, 6, 3]


def test_setter(pair):
    task = Retrieval(metrics=_corpus(pair))
    one, two = _corpus(pair), _corpus(pair)
    task(*pair)
    for value, want in ((one, [one]), ([one, two], [one, two]), ((two,), [two]), (None, [])):
        task.factorized_metrics = value
        assert task.factorized_metrics == want
        assert {id(m) for m in task.metrics} == {id(m) for w in want for m in w.metrics}


def test_errors(pair):
    with pytest.raises(ValueError, match=r"`temperature` must be positive. .*temperature=0 "):
        Retrieval(temperature=0)
    with pytest.raises(ValueError, match=r"`candidate_ids` must be given .*Retrieval 'r'"):
        Retrieval(remove_accidental_hits=True, name="r")(*pair)
    with pytest.raises(ValueError, match=r"must have a row for every query.*\(9, 4\).*\(6, 4\)"):
        Retrieval()(pair[1], pair[0])
    with pytest.raises(ValueError, match="`num_hard_negatives` must be an integer"):
        Retrieval(num_hard_negatives=1.5)


class Seen(keras.metrics.Metric):
    def update_state(self, y_true, y_pred, sample_weight=None):
        self.labels, self.scores = y_true.numpy(), y_pred.numpy()

    def result(self):
        return 0.0


def test_scores_of_equal_candidates_are_equal_in_batch_metrics(rng):
    # Every candidate is there three times; a float32 product rounds them by where they stand.
    candidates = np.tile(rng.normal(size=(7, 50)), (3, 1)).astype("float32")
    queries = rng.normal(size=(21, 50)).astype("float32")
    exact = (queries.astype("float64") @ candidates.astype("float64").T).astype("float32")
    seen = Seen()
    Retrieval(batch_metrics=[seen])(queries, candidates)
    np.testing.assert_allclose(seen.scores, exact, rtol=1e-6)
    np.testing.assert_array_equal(seen.scores[:, :7], seen.scores[:, 7:14])
    np.testing.assert_array_equal(seen.scores[:, :7], seen.scores[:, 14:])
    # Where the positive is a column of its own, it has the score that it has among the others.
    rows = Rows(*map(tf.constant, (queries, candidates, candidates)), in_batch=False)
    _, scores = rows.matrices(exact=True)
    np.testing.assert_array_equal(scores.numpy()[:, 0], np.diagonal(scores.numpy()[:, 1:]))


def test_config_gives_back_every_argument():
    task = Retrieval(
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        batch_metrics=[keras.metrics.TopKCategoricalAccuracy(k=3, name="top3")],
        loss_metrics=[keras.metrics.Mean(name="l")],
        temperature=0.2,
        num_hard_negatives=7,
        remove_accidental_hits=True,
        name="task",
    )
    config = task.get_config()
    again = Retrieval.from_config(config)
    assert again.get_config() == config
    assert (config["temperature"], config["num_hard_negatives"]) == (0.2, 7)
    assert again.get_config()["loss"]["config"]["label_smoothing"] == 0.1
