"""Figures in the logs are those of `evaluate_top_k`, for every model that recommends."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.callbacks import RetrievalMetrics
from recs.data import Interactions, by_user, sequences
from recs.evaluation import HeldOut, evaluate_top_k
from recs.layers.sequence import MeanHistory
from recs.models import LightGCN, SequentialRetrieval, TwoTower

RNG = np.random.default_rng(5)
PAIRS = np.unique(RNG.integers(0, [9, 12], (60, 2)), axis=0)
TEST = RNG.random(len(PAIRS)) < 0.25


def _log(rows):
    columns = {"user": rows[:, 0], "item": rows[:, 1], "timestamp": np.arange(len(rows))}
    return Interactions(columns)


TRAIN = _log(np.concatenate([PAIRS[~TEST], np.stack([np.zeros(12, int), np.arange(12)], axis=1)]))
HELD_OUT = HeldOut.of(TRAIN, _log(PAIRS[TEST]))
IDS = {"user": "user", "item": "item", "embedding_dim": 4, "id_dtype": "int64", "seed": 1}


def two_tower():
    return TwoTower(**IDS), TRAIN.to_dataset(["user", "item"], batch_size=16), {}


def light_gcn():
    data = by_user(TRAIN, "items").to_dataset(["user", "items"], batch_size=4)
    return LightGCN(**IDS, items="items").set_graph(TRAIN), data, {}


def sequential():
    rows = sequences.windows(TRAIN, 4)
    model = SequentialRetrieval(
        MeanHistory(max_length=4), item="item", embedding_dim=4, id_dtype="int64"
    )
    users = sequences.latest(TRAIN, HELD_OUT.users, 4)
    return model, rows.to_dataset(["history", "item"], batch_size=16), {"users": users}


@pytest.mark.parametrize("make", [two_tower, light_gcn, sequential])
def test_logs_have_the_figures_that_other_callbacks_watch(make):
    model, data, options = make()
    model.compile(keras.optimizers.Adagrad(0.3))
    names = ("recall", "ndcg", "precision", "hit_rate", "mrr", "map", "coverage")
    metrics = RetrievalMetrics(HELD_OUT, ks=(1, 3), metrics=names, **options)
    by_hand = []

    class ByHand(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if isinstance(model, LightGCN):
                model.index(HELD_OUT.catalogue)
            users = model.query_vectors(options.get("users", HELD_OUT.users))
            items = model.candidate_vectors(HELD_OUT.catalogue)
            by_hand.append(evaluate_top_k(users, items, HELD_OUT, (1, 3), names))

    stop = keras.callbacks.EarlyStopping("val_recall_3", mode="max", patience=0, min_delta=2.0)
    plateau = keras.callbacks.ReduceLROnPlateau("val_ndcg_3", mode="max", patience=1)
    history = model.fit(data, epochs=4, callbacks=[metrics, ByHand(), stop, plateau], verbose=0)
    # A gain of 2 is out of reach: training stops after the second epoch.
    assert len(by_hand) == len(history.epoch) == 2
    for key, name in metrics.log_names().items():
        assert name == f"val_{key.replace('@', '_')}"
        assert history.history[name] == [figures[key] for figures in by_hand]
    assert history.history["val_nonfinite_scores"] == [0.0, 0.0]


def test_every_so_many_epochs_and_after_the_last():
    model, data, _ = two_tower()
    model.compile(keras.optimizers.Adagrad(0.3))
    calls = []

    def vectors(model):
        calls.append(1)
        return model.query_vectors(HELD_OUT.users), model.candidate_vectors(HELD_OUT.catalogue)

    metrics = RetrievalMetrics(HELD_OUT, ks=(3,), vectors=vectors, every=3)
    history = model.fit(data, epochs=6, callbacks=[metrics], verbose=0).history["val_ndcg_3"]
    assert len(calls) == 3  # of epochs 0, 3 and 5
    assert history[0] == history[1] == history[2]
    assert history[3] == history[4]


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (
            lambda own: [keras.callbacks.EarlyStopping("val_recall_3", mode="max"), own],
            "RetrievalMetrics must come before .*Received: EarlyStopping.monitor='val_recall_3'",
        ),
        (
            lambda own: [own, keras.callbacks.ReduceLROnPlateau("val_ndcg_3", mode="min")],
            'ReduceLROnPlateau.*must take the largest val_ndcg_3 for the best.*`mode="max"`',
        ),
        (
            lambda own: [own, keras.callbacks.EarlyStopping("val_ndcg_3", mode="min")],
            "EarlyStopping.*must take the largest",
        ),
    ],
)
def test_callbacks_that_would_watch_in_vain_are_refused(callbacks, message):
    model, data, _ = two_tower()
    model.compile("adagrad")
    with pytest.raises(ValueError, match=message):
        model.fit(data, callbacks=callbacks(RetrievalMetrics(HELD_OUT, ks=(3,))), verbose=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "`every` must be a positive number"),
        ({"ks": (13,)}, "`ks` must be at most 12"),
        ({"metrics": ("auc",)}, "`metrics` must be some of"),
        ({"users": [1], "vectors": lambda model: None}, "`vectors` must not be given with"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        RetrievalMetrics(HELD_OUT, **arguments)


def test_a_model_without_vectors_is_refused_before_it_trains():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match="must have `query_vectors` and `candidate_vectors`"):
        model.fit(np.ones((2, 1)), np.ones(2), callbacks=[RetrievalMetrics(HELD_OUT)], verbose=0)


def test_a_progress_bar_on_demand(capsys):
    model, data, _ = two_tower()
    model.compile("adagrad")
    model.fit(data, callbacks=[RetrievalMetrics(HELD_OUT, ks=(3,))], verbose=0)
    assert not capsys.readouterr().out
    shown = RetrievalMetrics(HELD_OUT, ks=(3,), progress=True)
    model.fit(data, callbacks=[shown], verbose=0)
    assert f"{len(HELD_OUT.users)}/{len(HELD_OUT.users)}" in capsys.readouterr().out
