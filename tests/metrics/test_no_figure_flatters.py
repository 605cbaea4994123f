"""What holds for every figure: nothing that is not finite looks good, and no order matters.

`FIGURES` covers all that is public in `recs.metrics` and `recs.evaluation`; what is added there has
to be added here, or to be excused.
"""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import recs
from recs import evaluation, losses, metrics
from recs.data import Interactions
from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
from recs.errors import NonFiniteScoresWarning
from recs.layers.factorized_top_k import BruteForce

BAD = (np.nan, np.inf, -np.inf)
DTYPES = ("float16", "bfloat16", "float32", "float64")
ITEMS = 5

pytestmark = pytest.mark.filterwarnings("ignore::recs.errors.NonFiniteScoresWarning")


@dataclasses.dataclass(frozen=True)
class Figure:
    """A way to get figures from scores.

    Attributes:
        name: What is public.
        of: Called with labels and scores, `(lists, items)`, returns the values of each list.
        sign: -1 where lower is better.
    """

    name: str
    of: Callable
    sign: int = 1


def _ranking(name, topics=False, **options):
    def of(labels, scores):
        if topics:
            labels = np.stack([labels >= 1, labels >= 2], axis=-1).astype("float32")
        return getattr(metrics, name)(**options).per_list(labels, scores)[0]

    return Figure(name, of, -1 if name == "ARPMetric" else 1)


def _held_out(labels, catalogue=None):
    """Users hold out what has a label, and had the item `ITEMS` in training."""
    users, items = np.nonzero(labels >= 1)
    every = np.arange(len(labels))
    train = Interactions({"user": every, "item": np.full(len(labels), ITEMS)})
    test = Interactions({"user": users, "item": items})
    catalogue = np.arange(ITEMS + 1) if catalogue is None else catalogue
    return evaluation.HeldOut.of(train, test, catalogue)


def _evaluate_top_k(labels, scores):
    names = ("recall", "ndcg", "precision", "hit_rate", "mrr", "map")
    values = []
    # A user at a time, whose scores are the items' embeddings, since NaN times 0 is NaN.
    for label, row in zip(labels, scores, strict=True):
        vectors = np.ones((1, 1)), np.append(row, 0).astype(row.dtype)[:, None]
        found = evaluation.evaluate_top_k(*vectors, _held_out(label[None]), (1, 3), names)
        values.append(list(found.values()))
    return values


def _auc(labels, scores):
    return [evaluation.area_under_curve(*row) for row in zip(labels, scores, strict=True)]


def _per_domain(labels, scores):
    domains = np.repeat(np.arange(len(labels)), ITEMS)
    domains = np.char.zfill(domains.astype(str), 3)
    lists = np.zeros(labels.size)
    found = evaluation.per_domain(labels.ravel(), scores.ravel(), domains, lists, topn=2)
    return [list(figures.values()) for figures in found.values()]


def _per_list_ndcg(labels, scores):
    features = RankingFeatures(examples=[RankingFeature("price")])
    examples = {"price": np.zeros(labels.size), "label": labels.ravel()}
    lists = RankingLists(features, {}, examples, row_splits=np.arange(len(labels) + 1) * ITEMS)
    return evaluation.per_list_ndcg(lists, scores.ravel(), topn=2)


def _factorized(with_ids):
    def of(labels, scores):
        values = []
        for row, label in zip(scores, labels, strict=True):
            # One query; the true candidate is the most relevant item.
            items = np.asarray(row[:, None], "float32")
            true = int(np.argmax(label))
            if not np.isfinite(items).all():
                with pytest.raises(ValueError, match="`candidates` must be finite"):
                    BruteForce(k=3).index(items, np.arange(ITEMS))
                values.append([np.nan] * 2)
                continue
            index = BruteForce(k=3).index(items, np.arange(ITEMS))
            metric = metrics.FactorizedTopK(index, ks=(1, 3))
            ids = np.array([true]) if with_ids else None
            metric.update_state(np.ones((1, 1), "float32"), items[[true]], ids)
            values.append([float(value) for value in metric.result()])
        return values

    return Figure("FactorizedTopK", of)


RANKING = [
    name
    for name in metrics.__all__
    if inspect.isclass(getattr(metrics, name))
    and issubclass(getattr(metrics, name), metrics.ranking_metric.RankingMetric)
]
TOPICS = {name for name in RANKING if getattr(metrics, name).label_rank == 3}
CUT = {n for n in RANKING if issubclass(getattr(metrics, n), metrics.ranking_metric.CutMetric)}
LIST_FIGURES = {
    **{name: _ranking(name, name in TOPICS) for name in RANKING},
    **{f"{name}-cut": _ranking(name, name in TOPICS, topn=2) for name in RANKING if name in CUT},
}
FIGURES = {
    **LIST_FIGURES,
    **{f"{n}-tfr": _ranking(n, n in TOPICS, tfr_compatible=True) for n in RANKING},
    **{f"{n}-position": _ranking(n, n in TOPICS, ties="position") for n in RANKING},
    "FactorizedTopK-scores": _factorized(False),
    "FactorizedTopK-ids": _factorized(True),
    "evaluate_top_k": Figure("evaluate_top_k", _evaluate_top_k),
    "area_under_curve": Figure("area_under_curve", _auc),
    "per_domain": Figure("per_domain", _per_domain),
    "per_list_ndcg": Figure("per_list_ndcg", _per_list_ndcg),
}
IDS = "takes ids, not scores"
EXCUSED = {
    "Factorized": "abstract",
    "TopKIds": "abstract",
    "RankingMetricKey": "names",
    "get": "makes the others",
    "default_keras_metrics": "makes the others",
    "RecallAtK": IDS,
    "NDCGAtK": IDS,
    "MRRAtK": IDS,
    "MAPAtK": IDS,
    "Figures": "holds figures",
    "HeldOut": "has no figures",
    "item_baselines": "gives scores",
    "popularity_vectors": "gives scores",
    "rating_baselines": "takes no scores",
    "recommend_top_k": "gives ids; judged by evaluate_top_k",
}


def test_every_public_figure_is_covered():
    covered = {figure.name for figure in FIGURES.values()} | set(EXCUSED)
    assert set(metrics.__all__) | set(evaluation.__all__) == covered


def _cases(dtype):
    """Labels and scores: all distinct, all alike, and at the end of the range."""
    rng = np.random.default_rng(3)
    lowest = float(tf.as_dtype(dtype).min)
    labels = np.tile(np.array([[2, 0, 1, 0, 0], [0, 3, 0, 1, 1]], "float32"), (3, 1))
    plain = np.stack([rng.permutation(ITEMS) for _ in range(2)]) - 2.0
    low = np.where(rng.random(plain.shape) < 0.6, lowest, plain)
    return labels, np.concatenate([plain, np.zeros_like(plain), low])


def _with(value, scores, dtype):
    """Returns each list with the value at each place in turn, and everywhere."""
    lists = []
    for place in (*[[i] for i in range(ITEMS)], list(range(ITEMS))):
        replaced = scores.copy()
        replaced[:, place] = value
        lists.append(replaced)
    return tf.cast(np.concatenate(lists), dtype).numpy()


def _names_and_dtypes():
    # Products of vectors are float32, and what a metric's options do has nothing to do with dtypes.
    narrow = [*LIST_FIGURES, "area_under_curve", "per_domain", "per_list_ndcg"]
    pairs = [(name, "float32") for name in FIGURES]
    return pairs + [(n, d) for n in narrow for d in DTYPES if d != "float32" and "-" not in n]


@pytest.mark.parametrize(("name", "dtype"), _names_and_dtypes())
def test_a_score_that_is_not_finite_is_never_better_than_the_lowest(name, dtype):
    figure = FIGURES[name]
    labels, scores = _cases(dtype)
    if name.startswith("FactorizedTopK"):
        labels, scores = labels[[0, 4]], scores[[0, 4]]
    every = np.tile(labels, (ITEMS + 1, 1))
    lowest = _with(float(tf.as_dtype(dtype).min), scores, dtype)
    want = figure.sign * np.array(figure.of(every, lowest))
    assert not np.isnan(want).any()
    for bad in BAD:
        got = figure.sign * np.array(figure.of(every, _with(bad, scores, dtype)))
        assert got.shape == want.shape
        # NaN is no better either.
        assert not (got > want + 1e-6).any(), bad


@pytest.mark.parametrize("with_ids", [False, True])
@pytest.mark.parametrize("bad", BAD)
def test_a_query_that_is_not_finite_finds_nothing(bad, with_ids):
    items = np.arange(1.0, 1.0 + ITEMS, dtype="float32")[:, None] * [1.0, 1.0]
    metric = metrics.FactorizedTopK(BruteForce(k=3).index(items, np.arange(ITEMS)), ks=(1, 3))
    query = np.array([[bad, 1.0]], "float32")
    best = np.array([ITEMS - 1])
    metric.update_state(query, items[best].astype("float32"), best if with_ids else None)
    assert [float(value) for value in metric.result()] == [0.0, 0.0]


@st.composite
def batches(draw):
    """Draws labels, scores with ties, weights and an order of the items."""
    numbers = st.lists(st.integers(0, 2), min_size=2 * ITEMS, max_size=2 * ITEMS)
    labels, scores, weights = (
        np.array(draw(numbers), "float32").reshape(2, ITEMS) for _ in range(3)
    )
    labels[:, 0] = 1
    return labels, scores, weights + 1, np.array(draw(st.permutations(range(ITEMS))))


@pytest.mark.parametrize("name", [*LIST_FIGURES, "area_under_curve", "per_domain", "per_list_ndcg"])
@given(batch=batches())
@settings(max_examples=8, deadline=None)
def test_no_figure_depends_on_the_order_of_items(name, batch):
    labels, scores, _, order = batch
    want = FIGURES[name].of(labels, scores)
    got = FIGURES[name].of(labels[:, order], scores[:, order])
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", RANKING)
@given(batch=batches(), data=st.data())
@settings(max_examples=8, deadline=None)
def test_no_metric_depends_on_the_order_of_weighted_items_or_of_lists(name, batch, data):
    labels, scores, weights, order = batch
    if name in TOPICS:
        topic = data.draw(st.lists(st.integers(0, 1), min_size=ITEMS, max_size=ITEMS))
        labels = np.stack([labels, np.array([topic, topic[::-1]]), labels[::-1]], axis=-1)
    arguments = {"topn": 2} if name in CUT else {}
    want, got = getattr(metrics, name)(**arguments), getattr(metrics, name)(**arguments)
    want.update_state(labels, scores, weights)
    got.update_state(labels[::-1][:, order], scores[::-1][:, order], weights[::-1][:, order])
    np.testing.assert_allclose(got.result(), want.result(), rtol=1e-6, atol=1e-6)


@given(batch=batches())
@settings(max_examples=8, deadline=None)
def test_a_ranking_of_the_catalogue_does_not_depend_on_its_order(batch):
    labels, scores, _, order = batch
    names = [name for name in evaluation.top_k_figures.FIGURES if name != "novelty"]
    found = []
    for catalogue, users in ((np.arange(ITEMS + 1), [0, 1]), (np.append(order, ITEMS), [1, 0])):
        held_out = _held_out(labels[users], catalogue)
        # Ids are row numbers of the scores; the item that users had is worth 0 to both.
        vectors = np.concatenate([scores.T, np.zeros((1, 2))])[catalogue]
        figures = evaluation.evaluate_top_k(np.eye(2)[users], vectors, held_out, (1, 3), names)
        found.append(list(figures.values()))
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-6)


def test_scores_that_are_not_finite_are_counted_and_reported():
    labels = np.array([[1, 0, -1, 0, np.nan]])
    scores = np.array([[np.nan, 1.0, np.nan, np.inf, np.nan]])
    for name in RANKING:
        metric = getattr(metrics, name)()
        of = np.stack([labels] * 2, axis=-1) if name in TOPICS else labels
        metric.update_state(of, scores, mask=np.array([[True, True, True, False, True]]))
        assert metric.nonfinite_scores == 1
        with pytest.warns(NonFiniteScoresWarning, match=f"1 that are NaN or infinite .in {name}"):
            metric.result()
        with warnings.catch_warnings():
            warnings.simplefilter("error", NonFiniteScoresWarning)
            metric.result()  # once is enough
        metric.reset_state()
        assert metric.nonfinite_scores == 0
    with pytest.warns(NonFiniteScoresWarning, match="3 that are NaN .*area_under_curve"):
        evaluation.area_under_curve(labels[0], scores[0])
    for found in evaluation.per_domain(
        np.abs(labels[0]), scores[0], np.array(list("aabbb"))
    ).items():
        assert found[1].nonfinite_scores == {"a": 1, "b": 2}[found[0]]
    held_out = _held_out(np.array([[1, 0, 0, 0, 0]]))
    items = np.array([[np.nan], [2.0], [1.0], [np.inf], [0.0], [np.nan]])
    with pytest.warns(NonFiniteScoresWarning, match="2 that are NaN .*evaluate_top_k"):
        figures = evaluation.evaluate_top_k(np.ones((1, 1)), items, held_out, (1,))
    # The last is the one the user had.
    assert figures.nonfinite_scores == 2


def test_fit_reports_scores_that_are_not_finite():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Rescaling(1.0)])
    model.compile(loss="mse", metrics=[metrics.MRRMetric(name="mrr")])
    x = np.array([[1.0, np.nan, 0.0]], "float32")
    with pytest.warns(
        NonFiniteScoresWarning, match="1 that are NaN or infinite .in MRRMetric 'mrr'"
    ):
        logs = model.evaluate(x, np.array([[0.0, 1.0, 0.0]]), verbose=0, return_dict=True)
    assert logs["mrr"] == pytest.approx(1 / 3)


def _losses():
    found = {}
    for name in losses.__all__:
        loss = getattr(losses, name)
        if not inspect.isclass(loss) or not issubclass(loss, keras.losses.Loss):
            continue
        if inspect.isabstract(loss):
            continue
        given = inspect.signature(loss).parameters
        options = {"seed": 1} if "seed" in given else {}
        options |= {"ordinal_size": 2} if "ordinal_size" in given else {}
        found[name] = lambda loss=loss, options=options, **more: loss(**options, **more)
    return found


LOSSES = _losses()


@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_hides_a_score_that_is_no_number(name):
    labels = np.array([[1.0, 0.0, 0.0, 0.0]], "float32")
    loss = LOSSES[name]()
    outputs = getattr(loss, "score_rank", 2) - 1
    for place in range(4):
        scores = np.array([[0.3, 0.2, -0.5, 0.1]], "float32")
        if outputs == 2:
            scores = np.stack([scores, -scores], axis=-1)
        scores[0, place] = np.nan
        assert np.isnan(float(loss(labels, scores))), place


def test_the_retrieval_task_hides_no_embedding_that_is_no_number():
    task = recs.tasks.Retrieval()
    vectors = np.random.default_rng(1).normal(size=(2, 4, 3)).astype("float32")
    for side in (0, 1):
        wrong = vectors.copy()
        wrong[side, 2, 1] = np.nan
        assert np.isnan(float(task(wrong[0], wrong[1])))
