from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.data import Interactions
from recs.evaluation import HeldOut, evaluate_top_k
from recs.experiments import (
    AtRandom,
    ByTime,
    Experiment,
    LastOut,
    RatingEvaluation,
    RetrievalEvaluation,
    Source,
)
from recs.models import RatingModel, TwoTower


class Made(Source):
    """Eight users with ten interactions each, among thirty items."""

    def load(self):
        rng = np.random.default_rng(0)
        user = np.repeat(np.arange(8), 10)
        item = np.concatenate([rng.choice(30, 10, replace=False) for _ in range(8)])
        columns = {
            "user_id": user,
            "item_id": item,
            "user_rating": rng.integers(1, 6, 80).astype("float32"),
            "at": rng.permutation(80),
            "age": user % 3,
        }
        roles = {"user": "user_id", "item": "item_id", "rating": "user_rating", "timestamp": "at"}
        return Interactions(columns, roles)


def retrieval(model=None, split=None, evaluation=None, **arguments):
    return Experiment(
        data=Made(),
        split=split or LastOut(n=1),
        model=model or TwoTower(id_dtype="int64", embedding_dim=4, seed=1),
        optimizer=keras.optimizers.Adagrad(0.1),
        evaluation=evaluation or RetrievalEvaluation(ks=[5]),
        epochs=2,
        batch_size=16,
        **arguments,
    )


def test_the_models_figures_are_those_of_its_vectors():
    experiment = retrieval()
    trained = experiment.train(verbose=0)
    report = experiment.judge(trained.model, trained.parts)
    held_out = HeldOut.of(trained.parts.train, trained.parts.test)
    vectors = (
        trained.model.query_vectors(held_out.users),
        trained.model.candidate_vectors(held_out.catalogue),
    )
    assert report.figures["model"] == evaluate_top_k(*vectors, held_out, (5,))
    assert len(trained.history["loss"]) == 2


def test_validation_items_are_masked_when_the_test_is_judged(monkeypatch):
    experiment = retrieval(split=LastOut(n=1, validation_n=2))
    given = []
    original = HeldOut.of
    monkeypatch.setattr(
        HeldOut, "of", lambda *a, **k: given.append(k["also_seen"]) or original(*a, **k)
    )
    trained = experiment.train(verbose=0)
    assert "val_loss" in trained.history
    experiment.judge(trained.model, trained.parts)
    assert [len(part) for part in given[-1]] == [16]
    experiment.judge_on = "validation"
    experiment.judge(trained.model, trained.parts)
    assert given[-1] == []


def test_positive_from_leaves_out_what_was_disliked():
    experiment = retrieval(evaluation=RetrievalEvaluation(ks=[5], positive_from=4.0))
    parts = experiment.parts()
    assert min(parts.train.rating.min(), parts.test.rating.min()) >= 4.0
    bad = retrieval(evaluation=RetrievalEvaluation(positive_from=9.0))
    with pytest.raises(ValueError, match=r"`positive_from` must leave some .*positive_from=9\.0"):
        bad.parts()


def test_samples_mark_what_was_held_out_and_show_what_was_liked():
    evaluation = RetrievalEvaluation(ks=[5], show_users=2, show_items=30)
    experiment = retrieval(evaluation=evaluation)
    trained = experiment.train(verbose=0)
    text = experiment.samples(trained.model, trained.parts)
    users = text.split("\n\n")
    assert len(users) == 2
    assert users[0].startswith("User 0 liked: ")
    held_out = trained.parts.test.item[trained.parts.test.user == 0][0]
    marked = [line for line in users[0].splitlines() if "held out" in line]
    # The index holds what training has; the held-out item may be new.
    known = held_out in trained.parts.train.item
    assert len(marked) == int(known)
    assert all(f" {held_out} " in line for line in marked)


def test_user_features_reach_the_evaluation():
    model = TwoTower(id_dtype="int64", embedding_dim=4, user_features=["age"], seed=1)
    experiment = retrieval(model=model)
    trained = experiment.train(verbose=0)
    experiment.judge(trained.model, trained.parts)
    assert "User 0" in experiment.samples(trained.model, trained.parts)
    ages = model.query_tower.feature_embeddings[0].table.export()[0]
    assert sorted(ages.tolist()) == [b"0", b"1", b"2"]


@pytest.mark.slow
def test_ratings_are_judged_by_rmse():
    model = RatingModel(id_dtype="int64", embedding_dim=4, seed=1)
    split = AtRandom(test_fraction=0.2, seed=1)
    experiment = retrieval(model=model, split=split, evaluation=RatingEvaluation(show=3))
    trained = experiment.train(verbose=0)
    report = experiment.judge(trained.model, trained.parts)
    test = trained.parts.test
    error = test.rating - trained.model.predict_ratings({n: test[n] for n in model.columns})
    assert report.figures["model"]["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)
    assert set(report.figures) == {"model", "mean rating", "user and item biases"}
    assert len(experiment.samples(trained.model, trained.parts).splitlines()) == 4
    assert float(model.mean) == pytest.approx(trained.parts.train.rating.mean(), rel=1e-6)


def test_ratings_without_ratings():
    class Bare(Source):
        def load(self):
            return Interactions({"user": [1, 2], "item": [1, 2]})

    evaluation = RatingEvaluation()
    with pytest.raises(ValueError, match="must have ratings to learn them"):
        evaluation.select(RatingModel(), Bare().load())


def test_a_part_that_is_empty():
    with pytest.raises(ValueError, match=r"64 for training, 0 for validation, 16 for test"):
        retrieval(split=ByTime(0.2), judge_on="validation").parts()


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_numbers_must_be_positive(name):
    given = {"epochs": 1, "batch_size": 1, name: 0}
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer"):
        Experiment(Made(), LastOut(), TwoTower(), None, RetrievalEvaluation(), **given)
