"""What new users are predicted by, and what is kept from whom."""

from __future__ import annotations

import numpy as np
import pytest

from recs.data import Interactions
from recs.evaluation.rating_baselines import new_user_biases
from recs.experiments import Experiment, FewShotEvaluation, UsersOut
from recs.experiments.few_shot_evaluation import user_rmse
from recs.models import MetaLearner, RatingModel


@pytest.fixture
def log(rng):
    """Films are good or bad, and users generous or not."""
    users, films = rng.integers(0, 40, 1200), rng.integers(0, 30, 1200)
    stars = 3.0 + np.where(films % 2, 0.5, -0.5) + np.where(users % 2, 1.0, -1.0)
    ids = {
        "user_id": users.astype(str).astype(object),
        "movie_id": films.astype(str).astype(object),
    }
    return Interactions(
        {**ids, "user_rating": stars.astype("float32")},
        roles={"user": "user_id", "item": "movie_id", "rating": "user_rating"},
    )


def learner(**kwargs):
    model = RatingModel(user=None, item="movie_id", embedding_dim=4, units=[], seed=1)
    return MetaLearner(
        model, inner_rate=0.3, inner_steps=3, remember_training=False, seed=1, **kwargs
    )


def test_known_ratings_are_the_first_and_never_asked(log):
    evaluation = FewShotEvaluation(support=(2, 5), seed=3)
    known, asked = evaluation.divided(log)
    count = {u: int((log.user == u).sum()) for u in set(log.user)}
    for user, rows in count.items():
        assert [int((known[n].user == user).sum()) for n in (2, 5)] == [min(rows, 2), min(rows, 5)]
        assert int((asked.user == user).sum()) == max(rows - 5, 0)
    other, _ = FewShotEvaluation(support=(2, 5), seed=4).divided(log)
    assert known[5].item.tolist() != other[5].item.tolist()


def test_each_user_counts_alike():
    asked = Interactions({"user": [1, 1, 1, 2], "item": [1, 2, 3, 4], "rating": [1.0, 1, 1, 3]})
    assert user_rmse(asked, np.ones(4)) == pytest.approx(np.sqrt((0 + 4) / 2))


def test_biases_of_new_users_are_damped_means():
    train = Interactions({"user": [1, 1, 2, 2], "item": [5, 6, 5, 6], "rating": [5.0, 3, 5, 3]})
    known = Interactions({"user": [8, 8, 9], "item": [5, 7, 6], "rating": [3.0, 2, 4]})
    asked = Interactions({"user": [8, 9, 10], "item": [5, 5, 7]})
    of_film = 2 / (2 + 1)  # damped: two ratings of 1 above the mean of 4
    of_user = [(3 - 4 - of_film + 2 - 4) / 3, (4 - 4 + of_film) / 2, 0.0]
    want = np.array([4 + of_film, 4 + of_film, 4]) + of_user
    np.testing.assert_allclose(new_user_biases(train, known, asked, damping=1.0), want, rtol=1e-6)


@pytest.mark.slow
def test_an_experiment_judges_with_and_without_adaptation(log):
    experiment = Experiment(
        data=None,
        split=UsersOut(0.25, seed=1),
        model=learner(),
        optimizer="adagrad",
        evaluation=FewShotEvaluation(support=(2, 8), show=3),
        epochs=2,
        batch_size=200,
    )
    parts = experiment.split.split(experiment.evaluation.select(experiment.model, log))
    assert not set(parts.train.user) & set(parts.test.user)
    assert len(set(parts.test.user)) == 10
    trained = experiment.train(parts, verbose=0)
    before = trained.model.memory["mlp"].table.export()
    report = experiment.judge(trained.model, parts)
    figures = report.figures
    for n in (2, 8):
        assert figures["model"][f"rmse@{n}"] < 0.7 * figures["without adaptation"][f"rmse@{n}"]
    assert figures["model"]["rmse@8"] < figures["model"]["rmse@2"]
    assert len(experiment.samples(trained.model, parts).splitlines()) == 4
    after = trained.model.memory["mlp"].table.export()
    assert sorted(before[0]) == sorted(after[0])
    assert {i.decode() for i in after[0]} == set(parts.train.user)


def test_users_out_does_not_depend_on_the_order(log):
    parts = UsersOut(0.25, 0.25, seed=2).split(log)
    again = UsersOut(0.25, 0.25, seed=2).split(log.take(np.arange(len(log))[::-1]))
    for part in ("train", "test", "validation"):
        users = set(getattr(parts, part).user)
        assert users == set(getattr(again, part).user)
        assert len(users) == (20 if part == "train" else 10)
    assert sum(len(getattr(parts, p)) for p in ("train", "test", "validation")) == len(log)
