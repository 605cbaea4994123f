"""Experiments on lists: their data, how they are judged, and what beside."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from recs.data import Interactions, Items, lightgbm_rank
from recs.data.ranking import RankingFeature, RankingFeatures
from recs.evaluation import item_baselines, per_list_ndcg
from recs.experiments import (
    AtRandom,
    Experiment,
    LibSVMFiles,
    ListwiseEvaluation,
    OwnTest,
    Source,
)
from recs.layers import TableConfig
from recs.layers.ranking import FactorizationScorer
from recs.models import Ranker

RNG = np.random.default_rng(2)


def ndcg(labels, scores, k):
    """Returns NDCG of one list; of equal scores the lower label comes first."""
    order = np.lexsort([labels, -scores])[:k]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gained = ((2.0 ** labels[order] - 1) * discounts[: len(order)]).sum()
    best = np.sort(labels)[::-1][:k]
    return gained / ((2.0**best - 1) * discounts[: len(best)]).sum()


class Rated(Source):
    """Nine users who rate some of twelve films."""

    def load(self):
        rng = np.random.default_rng(4)
        user = np.repeat(np.arange(9), 10)
        item = np.concatenate([rng.permutation(12)[:10] for _ in range(9)])
        columns = {
            "user": user,
            "item": item,
            "rating": np.clip(np.round(item / 4 + rng.normal(size=90)), 1, 5).astype("float32"),
        }
        order = rng.permutation(90)  # users do not stand together
        columns = {name: column[order] for name, column in columns.items()}
        films = Items({"item": np.arange(12), "title": [f"Film {n}" for n in range(12)]})
        return Interactions(columns, items=films)


def of_ratings(**kwargs):
    features = RankingFeatures(
        [RankingFeature("user", "ids")],
        [RankingFeature("item", "ids"), RankingFeature("title", "ids", dtype="string")],
    )
    tables = [
        TableConfig("user", 3, seed=1),
        TableConfig("item", 3, seed=2),
        TableConfig("title", 3, key_dtype="string", seed=3),
    ]
    return Experiment(
        data=Rated(),
        split=AtRandom(0.3, 0.2, seed=1),
        model=Ranker(features=features, tables=tables, scorer=FactorizationScorer(3)),
        optimizer=keras.optimizers.Adam(0.02),
        evaluation=ListwiseEvaluation(ks=[1, 3], **kwargs),
        epochs=2,
        batch_size=4,
    )


@pytest.mark.slow
def test_ratings_are_judged_as_a_list_a_user():
    experiment = of_ratings(list_size=4)
    trained = experiment.train(verbose=0)
    report = experiment.judge(trained.model, trained.parts)
    test = trained.parts.test
    lists = experiment.evaluation.lists(trained.model, test)
    score = dict(
        zip(
            zip(np.repeat(lists.context["user"], np.diff(lists.row_splits)),
                lists.examples["item"], strict=True),
            trained.model.score_lists(lists),
            strict=True,
        )
    )  # fmt: skip
    scores = np.array([score[pair] for pair in zip(test.user, test.item, strict=True)])
    train = trained.parts.train
    known = {i: train.rating[train.item == i] for i in range(12)}
    mean = train.rating.mean()
    others = {
        "model": scores,
        "mean rating": np.array(
            [(known[i].sum() + 5 * mean) / (len(known[i]) + 5) for i in test.item]
        ),
        "popularity": np.array([len(known[i]) for i in test.item]),
    }
    for name, values in others.items():
        for k in (1, 3):
            each = [
                ndcg(test.rating[test.user == u], np.float32(values[test.user == u]), k)
                for u in np.unique(test.user)
            ]
            assert report.figures[name][f"ndcg@{k}"] == pytest.approx(np.mean(each), rel=1e-5)
    assert "val_ndcg_10" in trained.history
    assert len(trained.history["loss"]) == 2
    users = len(np.unique(test.user))
    wanted = f"test: {users} lists with a relevant item, of {users}; 27 items"
    assert str(report).startswith(wanted)


def test_training_sees_other_items_of_long_lists_each_epoch():
    experiment = of_ratings(list_size=2)
    parts = experiment.parts()
    evaluation = experiment.evaluation
    dataset = evaluation.dataset(experiment.model, parts.train, 16, shuffle_seed=3)
    first, second = (next(iter(dataset))["item"].numpy() for _ in range(2))
    assert first.shape == second.shape == (9, 2)
    assert not np.array_equal(np.sort(first.ravel()), np.sort(second.ravel()))
    whole = next(iter(evaluation.dataset(experiment.model, parts.validation, 16)))
    assert int(whole["mask"].numpy().sum()) == len(parts.validation)


@pytest.mark.slow
def test_samples_have_titles_and_labels():
    experiment = of_ratings(show=2)
    trained = experiment.train(verbose=0)
    first, second = experiment.samples(trained.model, trained.parts).split("\n\n")
    assert first.startswith("List 0: the first ")
    assert "label " in first
    assert "Film " in second


def test_ratings_are_needed():
    bare = Interactions({"user": [1], "item": [2]})
    with pytest.raises(ValueError, match="must have ratings to rank by"):
        ListwiseEvaluation().select(None, bare)
    with pytest.raises(ValueError, match="must have ratings to train on"):
        item_baselines(bare, bare)


def test_lists_of_the_package():
    train, test = lightgbm_rank.load()
    assert np.bincount(train.examples["label"].astype(int)).tolist() == [645, 1211, 858, 222, 69]
    assert np.bincount(test.examples["label"].astype(int)).tolist() == [206, 256, 252, 44, 10]
    first = train.examples["features"][0]
    assert first[[9, 10, 11, 16]].tolist() == pytest.approx([0.89, 0.75, 0.01, 0.45])
    assert (train.examples["features"] > 0).sum() == 284736
    assert train.row_splits[:4].tolist() == [0, 1, 14, 19]
    assert "The LightGBM developers" in lightgbm_rank.licence()


def test_lists_are_judged_beside_their_best_feature(tmp_path):
    rows = {"train": (6, 5), "test": (3, 4)}
    data = {}
    for name, (lists, size) in rows.items():
        values = RNG.integers(0, 9, (lists * size, 3)) / 4
        labels = RNG.integers(0, 3, lists * size)
        labels[:size] = 0  # says nothing of a ranking
        values[:, 1] = -labels
        data[name] = values, labels, size
        text = [
            f"{label} qid:{row // size} " + " ".join(f"{n}:{v}" for n, v in enumerate(line, 1))
            for row, (label, line) in enumerate(zip(labels, values, strict=True))
        ]
        (tmp_path / name).write_text("\n".join(text))
    source = LibSVMFiles(str(tmp_path / "train"), str(tmp_path / "test"), num_features=3)
    features = RankingFeatures(examples=[RankingFeature("features", shape=(3,))])
    experiment = Experiment(
        source,
        OwnTest(validation_fraction=0.4, seed=1),
        Ranker(features=features, scorer=keras.layers.Dense(1)),
        keras.optimizers.Adam(0.01),
        ListwiseEvaluation(ks=[2], show=1),
        epochs=1,
        batch_size=4,
    )
    trained = experiment.train(verbose=0)
    report = experiment.judge(trained.model, trained.parts)
    values, labels, size = data["test"]
    scores = trained.model.score_lists(trained.parts.test)
    each = [
        ndcg(labels[a : a + size], scores[a : a + size], 2) for a in range(size, 3 * size, size)
    ]
    assert report.figures["model"]["ndcg@2"] == pytest.approx(np.mean(each), rel=1e-5)
    assert report.figures["best feature"]["ndcg@2"] == pytest.approx(1.0)  # the second, downwards
    assert report.protocol == "test: 2 lists with a relevant item, of 3; 12 items"
    assert "label" in experiment.samples(trained.model, trained.parts)


def test_ndcg_of_lists_in_batches():
    lists = lightgbm_rank.load().train
    scores = RNG.integers(0, 9, int(lists.row_splits[-1])).astype("float32")
    found = per_list_ndcg(lists, scores, 5, batch_size=17)
    labels, splits = lists.examples["label"], lists.row_splits
    each = [
        ndcg(labels[a:b], scores[a:b], 5)
        for a, b in itertools.pairwise(splits)
        if labels[a:b].any()
    ]
    assert len(found) == 198
    np.testing.assert_allclose(found, each, rtol=1e-5)


def test_validation_lists_are_training_lists():
    data = lightgbm_rank.load()
    parts = OwnTest(0.2, seed=3).split(data)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (161, 40, 50)
    both = [*map(len_and_sum, (parts.train, parts.validation))]
    assert np.allclose(np.sum(both, axis=0), len_and_sum(data.train))
    again = OwnTest(0.2, seed=3).split(data).validation
    assert np.array_equal(again.row_splits, parts.validation.row_splits)
    other = OwnTest(0.2, seed=4).split(data).validation
    assert not np.array_equal(other.row_splits, parts.validation.row_splits)
    assert len(OwnTest().split(data).validation) == 0


def len_and_sum(lists):
    return len(lists), float(lists.examples["features"].sum(dtype=np.float64))


def test_what_does_not_go_together():
    with pytest.raises(ValueError, match="`train` and `test` must both be given"):
        LibSVMFiles(train="a")
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
        OwnTest(1.0)
    with pytest.raises(ValueError, match="must come with a test part of its own"):
        OwnTest().split(Rated().load())
