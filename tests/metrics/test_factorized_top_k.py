"""`FactorizedTopK` against NumPy in float64."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k import IVF, BruteForce, Streaming, TopK, top_k
from recs.metrics import Factorized, FactorizedTopK


def _dataset(*parts, batch=7):
    return tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0]).batch(batch)


def _hits(queries, positives, corpus, k, left=None):
    """Returns the share of queries with fewer than `k` others that score as high or higher."""
    queries, positives, corpus = (x.astype("float64") for x in (queries, positives, corpus))
    scores, own = queries @ corpus.T, np.sum(queries * positives, axis=1, keepdims=True)
    margin = 1e-14 * np.abs(queries * positives).sum(axis=1, keepdims=True)
    left = np.ones(scores.shape, bool) if left is None else left
    # The true candidate itself is one of these.
    return ((left & (scores >= own - margin)).sum(axis=1) <= k).mean()


@pytest.mark.parametrize("index", [None, BruteForce, Streaming])
def test_own_copies_do_not_count(rng, index):
    # With float32 sums of 64 terms about a third of the copies score higher than the original.
    corpus = rng.normal(size=(400, 64)).astype("float32")
    chosen = rng.integers(0, 400, 300)
    queries = corpus[chosen] * 0.3 + rng.normal(size=(300, 64)).astype("float32")
    source = _dataset(corpus)
    if index is not None:
        source = index().index_from_dataset(source)
    metric = FactorizedTopK(source, ks=(1, 5, 20))
    metric.update_state(queries, corpus[chosen])
    want = [_hits(queries, corpus[chosen], corpus, k) for k in (1, 5, 20)]
    np.testing.assert_allclose(metric.result(), want, atol=1e-6)
    by_id = FactorizedTopK(source, ks=(1, 5, 20))
    by_id.update_state(queries, corpus[chosen], true_candidate_ids=chosen)
    np.testing.assert_allclose(by_id.result(), want, atol=1e-6)


def test_real_differences_do_count():
    # One unit in a thousand is far above what rounding does in 8 dimensions.
    corpus = np.ones((2, 8), "float32")
    corpus[1] *= 1.001
    metric = FactorizedTopK(_dataset(corpus), ks=(1,))
    metric.update_state(np.ones((1, 8)), corpus[:1])
    assert float(metric.result()[0]) == 0.0
    metric.update_state(np.ones((1, 8)), corpus[1:])
    assert float(metric.result()[0]) == 0.5


@pytest.mark.parametrize("by_id", [False, True])
def test_embeddings_that_are_all_alike_are_no_hits(by_id):
    metric = FactorizedTopK(_dataset(np.ones((8, 2), "float32")), ks=(1, 7, 8))
    ids = np.array([0, 3, 7]) if by_id else None
    metric.update_state(np.ones((3, 2)), np.ones((3, 2)), true_candidate_ids=ids)
    assert [float(x) for x in metric.result()] == [0.0, 0.0, 1.0]


def _with_ties(rng, kind):
    """Returns queries, a corpus with many equal scores, and the row that each query chose."""
    chosen = rng.integers(0, 200, 90)
    if kind == "levels":  # sums are exact, and many are equal
        corpus = rng.integers(-2, 3, (200, 6)).astype("float32")
        return rng.integers(-2, 3, (90, 6)).astype("float32"), corpus, chosen
    corpus = np.tile(rng.normal(size=(40, 24)), (5, 1))[rng.permutation(200)]
    queries = corpus[chosen] * 0.3 + rng.normal(size=(90, 24))
    if kind == "large norms":
        queries, corpus = queries * 1e9, corpus * 1e8
    if kind == "common part":  # scores of 1e8 that differ by 1
        queries, corpus = queries + 1e4, corpus + 1e4
    return queries.astype("float32"), corpus.astype("float32"), chosen


@pytest.mark.parametrize(
    ("index", "kind"),
    [
        *((BruteForce, kind) for kind in ("levels", "duplicates", "large norms", "common part")),
        (Streaming, "duplicates"),
    ],
)
@pytest.mark.parametrize("one_op", [True, False])
def test_ties_do_not_depend_on_rounding_nor_on_the_order_of_the_catalogue(
    rng, kind, index, one_op, monkeypatch
):
    monkeypatch.setattr(top_k, "suits_tensors", lambda: one_op)
    monkeypatch.setattr("recs.layers.factorized_top_k.streaming.COLUMNS_AT_ONCE", 64)
    queries, corpus, chosen = _with_ties(rng, kind)
    names = rng.permutation(200) + 1000
    left = np.ones((90, 200), bool)
    others = np.argsort(rng.random((90, 200)), axis=1)[:, :20]
    np.put_along_axis(left, others, False, axis=1)
    left[np.arange(90), chosen] = True
    others = np.where(others == chosen[:, None], -1, names[others])
    for order in (np.arange(200), rng.permutation(200)):
        source = index().index_from_dataset(_dataset(names[order], corpus[order], batch=23))
        metrics = [FactorizedTopK(source, ks=(1, 5, 30)) for _ in range(3)]
        own, ids = corpus[chosen], names[chosen]
        metrics[0].update_state(queries, own, true_candidate_ids=ids)
        metrics[1].update_state(queries, own, true_candidate_ids=ids, exclusions=others)
        metrics[2].update_state(queries, own)
        results = [[float(x) for x in metric.result()] for metric in metrics]
        want = [_hits(queries, own, corpus, k) for k in (1, 5, 30)]
        np.testing.assert_allclose(results[0], want, rtol=1e-6)
        want_left = [_hits(queries, own, corpus, k, left) for k in (1, 5, 30)]
        np.testing.assert_allclose(results[1], want_left, rtol=1e-6)
        if kind != "common part":  # without ids, more is within an encoder's rounding
            np.testing.assert_allclose(results[2], want, rtol=1e-6)


class Nearest(BruteForce):
    def _compute_score(self, queries, candidates):
        return -tf.reduce_sum((queries[:, None] - candidates[None]) ** 2, axis=2)


def test_the_true_candidate_has_the_score_of_the_index(rng):
    corpus = rng.normal(size=(50, 3)).astype("float32")
    chosen = rng.integers(0, 50, 40)
    queries = corpus[chosen] + 0.3 * rng.normal(size=(40, 3)).astype("float32")
    distances = np.square(queries[:, None].astype("float64") - corpus[None]).sum(axis=2)
    rank = (distances < distances[np.arange(40), chosen][:, None] - 1e-9).sum(axis=1)
    metric = FactorizedTopK(Nearest().index(corpus), ks=(1, 3))
    metric.update_state(queries, corpus[chosen])
    np.testing.assert_allclose(metric.result(), [(rank < 1).mean(), (rank < 3).mean()], rtol=1e-6)


def test_positive_outside_of_the_corpus():
    metric = FactorizedTopK(_dataset(np.array([[1.0], [3.0]], "float32")), ks=(1, 2))
    metric.update_state(np.ones((2, 1)), np.array([[2.0], [4.0]]))
    assert [float(x) for x in metric.result()] == [0.5, 1.0]


@pytest.mark.parametrize("index", [BruteForce, Streaming])
@pytest.mark.parametrize("by_id", [False, True])
def test_fewer_candidates_than_k(index, by_id):
    corpus = np.array([[1.0], [2.0], [3.0]], "float32")
    metric = FactorizedTopK(index().index_from_dataset(_dataset(corpus)), ks=(1, 100))
    ids = np.array([0, 2]) if by_id else None
    update = tf.function(lambda q, c: metric.update_state(q, c, true_candidate_ids=ids))
    for call in (update, update.python_function):
        metric.reset_state()
        call(tf.ones((2, 1)), tf.constant(corpus[[0, 2]]))
        assert [float(x) for x in metric.result()] == [0.5, 1.0]


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
@pytest.mark.parametrize("by_id", [False, True])
def test_weights(shape, by_id):
    corpus = np.array([[1.0], [2.0]], "float32")
    metric = FactorizedTopK(_dataset(np.array(["a", "b"]), corpus), ks=(1,))
    metric.update_state(
        np.ones((2, 1)),
        corpus,
        true_candidate_ids=np.array(["a", "b"]).reshape(shape) if by_id else None,
        sample_weight=np.array([1.0, 3.0]).reshape(shape),
    )
    assert float(metric.result()[0]) == 0.75


def test_state_is_kept_and_reset():
    corpus = np.array([[1.0], [2.0]], "float32")
    metric = FactorizedTopK(_dataset(corpus), ks=(1,), name="m")
    metric.update_state(np.ones((1, 1)), corpus[1:])
    metric.update_state(np.ones((1, 1)), corpus[:1])
    assert float(metric.result()[0]) == 0.5
    for reset in (metric.reset_state, metric.reset_states):
        metric.update_state(np.ones((1, 1)), corpus[1:])
        reset()
        assert float(metric.result()[0]) == 0.0
    assert [m.name for m in metric.metrics] == ["m/top_1_categorical_accuracy"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_no_hit(bad):
    metric = FactorizedTopK(_dataset(np.ones((3, 2), "float32")), ks=(3,))
    metric.update_state(np.array([[bad, 1.0], [1.0, 1.0]], "float32"), np.ones((2, 2)))
    assert float(metric.result()[0]) == 0.5


def test_empty_batch():
    metric = FactorizedTopK(_dataset(np.ones((3, 2), "float32")), ks=(1,))
    metric.update_state(np.zeros((0, 2)), np.zeros((0, 2)))
    assert float(metric.result()[0]) == 0.0


class Approximate(TopK):
    """Gives what it is told to, in no order, padded with NaN."""

    def index(self, candidates, identifiers=None):
        raise NotImplementedError

    def call(self, queries, k=None):
        return tf.constant([[1.0, np.nan, 3.0, 2.0]]), tf.constant([[10, 11, 12, 13]])

    def is_exact(self):
        return False


def test_approximate_indexes():
    metric = FactorizedTopK(Approximate(k=4), ks=(1, 2, 4))
    with pytest.raises(ValueError, match=r"`true_candidate_ids` must be given .* not exact"):
        metric.update_state(np.ones((1, 1)), np.ones((1, 1)))
    for true, want in ((12, [1, 1, 1]), (13, [0, 1, 1]), (10, [0, 0, 1]), (11, [0, 0, 0])):
        metric.reset_state()
        metric.update_state(np.ones((1, 1)), np.ones((1, 1)), true_candidate_ids=[true])
        assert [float(x) for x in metric.result()] == want


def test_an_index_of_lists(rng):
    corpus = rng.normal(size=(300, 4)).astype("float32")
    index = IVF(k=20, probes=300).index(corpus)  # all of them, so nothing is missed
    queries, chosen = corpus[:50] + 0.3, np.arange(50)
    metric = FactorizedTopK(index, ks=(1, 5))
    metric.update_state(queries, corpus[:50], true_candidate_ids=chosen)
    want = [_hits(queries, corpus[:50], corpus, k) for k in (1, 5)]
    np.testing.assert_allclose(metric.result(), want, atol=1e-6)


def test_errors():
    rows = _dataset(np.ones((3, 2), "float32"))
    with pytest.raises(ValueError, match=r"`ks` must be positive integers. Received: ks=\(0,\)"):
        FactorizedTopK(rows, ks=(0,))
    with pytest.raises(ValueError, match="`ks` must be positive integers"):
        FactorizedTopK(rows, ks=())
    with pytest.raises(TypeError, match=r"`candidates` must be .* Received: ndarray"):
        FactorizedTopK(np.ones((3, 2)))


def test_config_keeps_the_index_but_not_its_dataset():
    metric = FactorizedTopK(_dataset(np.ones((3, 2), "float32")), ks=(2, 1), name="m")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.get_config()["ks"] == [2, 1]
    assert [m.name for m in again.metrics] == [m.name for m in metric.metrics]
    with pytest.raises(ValueError, match="must be indexed before"):
        again.update_state(np.ones((1, 2)), np.ones((1, 2)))


def test_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Factorized()


def test_ids_of_another_kind_than_the_candidates_are_refused():
    candidates = tf.data.Dataset.from_tensors(np.eye(2, dtype="float32"))
    metric = FactorizedTopK(candidates, ks=(1,), name="corpus")
    message = r"Received: string, candidates with int32 \(in FactorizedTopK 'corpus'\).*pairs"
    with pytest.raises(ValueError, match=message):
        metric.update_state(np.eye(2), np.eye(2), true_candidate_ids=tf.constant(["a", "b"]))


@pytest.mark.parametrize("levels", [2, 1000])
@pytest.mark.parametrize("kind", ["int64", "string", "twice"])
@pytest.mark.parametrize("index", [BruteForce, Streaming])
def test_ids_hit_by_rank_and_as_they_are_retrieved_where_several_have_one(
    rng, levels, kind, index, monkeypatch
):
    monkeypatch.setattr("recs.layers.factorized_top_k.streaming.COLUMNS_AT_ONCE", 32)
    corpus = rng.integers(-levels, levels, (90, 2)).astype("float32")
    queries = rng.integers(-levels, levels, (60, 2)).astype("float32")
    names = np.arange(90) * 3 if kind != "twice" else np.arange(90) // 2
    chosen = np.append(names[rng.integers(0, 90, 55)], [7777] * 5)  # the last are no candidates
    kept, asked = (x.astype(str) if kind == "string" else x for x in (names, chosen))
    source = index().index_from_dataset(_dataset(kept, corpus))
    metric = FactorizedTopK(source, ks=(1, 4, 30))
    metric.update_state(queries, np.zeros((60, 2)), true_candidate_ids=asked)
    scores = queries @ corpus.T
    order = np.argsort(-scores, axis=1, kind="stable")
    want = [(names[order[:, :k]] == chosen[:, None]).any(axis=1).mean() for k in (1, 4, 30)]
    if kind != "twice":
        rows = chosen[:55] // 3
        known = [_hits(queries[:55], corpus[rows], corpus, k) for k in (1, 4, 30)]
        want = np.array(known) * 55 / 60
    np.testing.assert_allclose(metric.result(), want, rtol=1e-6)


@pytest.mark.parametrize("index", [BruteForce, Streaming])
@pytest.mark.parametrize("by_id", [False, True])
@pytest.mark.parametrize("kind", ["exclusions", "inclusions"])
def test_only_what_is_no_competition_is_left_out(rng, index, by_id, kind):
    corpus = rng.normal(size=(40, 4)).astype("float32")
    chosen = rng.integers(0, 40, 30)
    queries = rng.normal(size=(30, 4)).astype("float32")
    others = np.stack([rng.permutation(np.delete(np.arange(40), c))[:12] for c in chosen])
    if kind == "inclusions":
        others[:, 0] = chosen
    source = index().index_from_dataset(_dataset(np.arange(40), corpus))
    metric = FactorizedTopK(source, ks=(1, 5))
    metric.update_state(
        queries,
        corpus[chosen],
        true_candidate_ids=chosen if by_id else None,
        **{kind: others},
    )
    want = np.zeros(2)
    for query, own, some in zip(queries, chosen, others, strict=True):
        left = some if kind == "inclusions" else np.setdiff1d(np.arange(40), some)
        higher = sum(query @ corpus[c] > query @ corpus[own] for c in left if c != own)
        want += [higher < 1, higher < 5]
    np.testing.assert_allclose(metric.result(), want / 30, rtol=1e-6)
    with pytest.raises(ValueError, match="`exclusions` and `inclusions` must not both be given"):
        metric.update_state(queries, queries, exclusions=others, inclusions=others)
