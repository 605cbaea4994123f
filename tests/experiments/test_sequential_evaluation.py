"""An experiment that asks with histories."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.data import sequences
from recs.experiments import Experiment, LastOut, SequentialEvaluation
from recs.layers.sequence import GRU4Rec, MeanHistory
from recs.models import SequentialRetrieval
from tests.evaluation.oracle import naive
from tests.experiments.test_experiment import Made


def made(encoder=None, split=None, evaluation=None, positions="last", **arguments):
    return Experiment(
        data=Made(),
        split=split or LastOut(n=1, validation_n=1),
        model=SequentialRetrieval(
            encoder or MeanHistory(3),
            id_dtype="int64",
            embedding_dim=4,
            seed=1,
            positions=positions,
        ),
        optimizer=keras.optimizers.Adam(0.01),
        evaluation=evaluation or SequentialEvaluation(ks=[5]),
        epochs=1,
        batch_size=16,
        **arguments,
    )


@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize("n", [1, 2])
def test_the_figures_are_those_of_the_histories_before_the_part(part, n):
    experiment = made(split=LastOut(n=n, validation_n=2), judge_on=part)
    trained = experiment.train(verbose=0)
    report = experiment.judge(trained.model, trained.parts)
    parts = trained.parts
    known = [parts.train, *([parts.validation] if part == "test" else [])]
    had, at = {}, {}
    for one in known:
        for user, item, time in zip(one.user, one.item, one.timestamp, strict=True):
            had.setdefault(user, []).append((time, item))
    vector = {}
    for user, rows in had.items():
        newest = [item for _, item in sorted(rows)][-3:]
        vector[user] = trained.model.query_vectors([newest])[0]
    catalogue = np.unique(Made().load().item)
    for item, row in zip(catalogue, trained.model.candidate_vectors(catalogue), strict=True):
        at[item] = row
    judged = getattr(parts, part)
    want = naive(
        [(u, i) for one in known for u, i in zip(one.user, one.item, strict=True)],
        list(zip(judged.user, judged.item, strict=True)),
        catalogue.tolist(),
        lambda user, item: float(vector[user] @ at[item]),
        [5],
    )
    assert report.figures["model"] == pytest.approx(want)
    assert report.figures["popularity"].keys() == report.figures["model"].keys()


def test_training_sees_windows_of_the_training_part_alone():
    experiment = made(MeanHistory(4))
    parts = experiment.parts()
    rows = experiment.evaluation.examples(experiment.model, parts.train)
    assert rows["history"].to_list() == sequences.windows(parts.train, 4)["history"].to_list()
    every = made(MeanHistory(4), positions="all")
    thinned = every.evaluation.examples(every.model, parts.train)
    assert len(thinned) == 8 * 2  # eight rows a user: seven to predict, four at a time
    rows = experiment.evaluation.examples(every.model, parts.validation, [parts.train])
    assert [h[-1] for h in rows["history"]] == [h[-1] for h in
        sequences.latest(parts.train, rows.user, 4)]  # fmt: skip
    own = SequentialEvaluation(stride=3, min_length=2, max_length=2)
    rows = own.examples(every.model, parts.train)
    assert {len(h) for h in rows["history"]} == {2}
    assert len(rows) == 8 * 2


def test_nothing_that_is_held_out_is_trained_on():
    experiment = made(split=LastOut(n=4, validation_n=3))
    trained = experiment.train(verbose=0)
    seen = set(trained.parts.train.item.tolist())
    held_out = {*trained.parts.test.item.tolist(), *trained.parts.validation.item.tolist()} - seen
    assert held_out
    assert not trained.model.candidate_tower.embedding.table.contains(list(held_out)).any()
    assert "val_loss" in trained.history


def test_a_model_without_a_bound_is_given_one():
    experiment = made(GRU4Rec(seed=1))
    assert experiment.model.max_length is None
    rows = experiment.evaluation.examples(experiment.model, experiment.parts().train)
    assert rows["history"].width == 7
    experiment.evaluation.max_length = 5
    rows = experiment.evaluation.examples(experiment.model, experiment.parts().train)
    assert rows["history"].width == 5


@pytest.mark.slow
def test_samples_are_asked_for_with_histories():
    experiment = made()
    trained = experiment.train(verbose=0)
    assert experiment.samples(trained.model, trained.parts).count("recommended:") == 3
