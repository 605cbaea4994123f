from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
from recs.experiments import RankingPipeline
from recs.models import Ranker
from tests.data.ranking import protos

FEATURES = RankingFeatures(examples=[RankingFeature("item", "ids"), RankingFeature("x")])


def lists(count, seed):
    """Lists that tell something by `x`, and nothing by items: these can be learned by heart."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 4))
    labels = (x + rng.normal(size=x.shape)).argmax(1)[:, None] == np.arange(4)
    items = rng.integers(0, 300, x.size)
    examples = {"item": items, "x": x.ravel(), "label": labels.ravel()}
    return RankingLists(FEATURES, {}, examples, 4 * np.arange(count + 1))


TRAIN, VALIDATION = lists(40, 0), lists(40, 1)


def pipeline(**arguments):
    keras.utils.set_random_seed(2)
    tower = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
    given = {"learning_rate": 0.05, "batch_size": 10, "epochs": 40}
    return RankingPipeline(
        Ranker(FEATURES, scorer=tower, seed=2), TRAIN, VALIDATION, **{**given, **arguments}
    )


@pytest.mark.slow
def test_the_best_epoch_is_kept_with_its_tables():
    run = pipeline(patience=3, plateau_patience=2, plateau_factor=0.5).run(verbose=0)
    losses = run.history["val_loss"]
    assert run.best == min(losses)
    assert run.best_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == run.best_epoch + 3 < 40
    logs = run.model.evaluate(VALIDATION.to_dataset(10), verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(run.best, rel=1e-5)
    assert abs(losses[-1] - run.best) > 1e-3
    rates = np.array(run.history["learning_rate"])
    np.testing.assert_allclose(rates[: run.best_epoch + 1], rates[0])
    np.testing.assert_allclose(rates[-1], rates[0] / 2)
    assert run.folder is None


@pytest.mark.slow
def test_a_metric_decides_and_nothing_stops():
    run = pipeline(epochs=6, monitor="val_mrr", patience=0, plateau_patience=0).run(verbose=0)
    assert len(run.history["val_mrr"]) == 6
    assert run.best == max(run.history["val_mrr"])
    logs = run.model.evaluate(VALIDATION.to_dataset(10), verbose=0, return_dict=True)
    assert logs["mrr"] == pytest.approx(run.best, rel=1e-5)


def test_a_folder_has_what_serves_and_what_goes_on(tmp_path):
    run = pipeline(epochs=5, patience=0, folder=tmp_path / "run").run(verbose=0)
    want = run.model.score_lists(VALIDATION)
    best = keras.models.load_model(run.folder.model)
    np.testing.assert_array_equal(best.score_lists(VALIDATION), want)
    latest = keras.models.load_model(tmp_path / "run" / "latest.keras")
    logs = latest.evaluate(VALIDATION.to_dataset(10), verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(run.history["val_loss"][-1], rel=1e-5)
    assert len(run.folder.history.read_text().splitlines()) == 6
    found = {}
    for part in ("train", "validation"):
        paths = (tmp_path / "run" / "logs" / part).glob("events*v2")
        for record in tf.data.TFRecordDataset([str(path) for path in paths]):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found.setdefault((part, value.tag), []).append(tf.make_ndarray(value.tensor))
    np.testing.assert_allclose(found["train", "epoch_loss"], run.history["loss"], rtol=1e-6)
    np.testing.assert_allclose(found["validation", "epoch_mrr"], run.history["val_mrr"], rtol=1e-6)
    assert len(found["train", "embeddings/item/rows"]) == 5
    items, x = VALIDATION.examples["item"][:4], VALIDATION.examples["x"][:4]
    record = protos.elwc(
        [protos.example(item=[int(i)], x=[float(v)]) for i, v in zip(items, x, strict=True)]
    )
    served = tf.saved_model.load(str(run.folder.saved_model / "1"))
    answer = served.signatures["predict"](inputs=tf.constant([record]))
    np.testing.assert_allclose(answer["output"][0], want[:4], atol=1e-5)
    with pytest.raises(ValueError, match="`folder` must not hold another run"):
        pipeline(folder=tmp_path / "run")


class KilledError(Exception):
    """What ends a run in the middle of an epoch."""


class Kill(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.at = epoch, None

    def on_epoch_begin(self, epoch, logs=None):
        self.at = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.at == self.epoch:
            raise KilledError


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path):
    # One batch an epoch, whose order does not matter.
    given = {"batch_size": 40, "patience": 3, "plateau_patience": 2, "plateau_factor": 0.5}
    whole = pipeline(**given).run(verbose=0)
    given |= {"folder": tmp_path / "run", "resume": True}
    for epoch in (1, whole.best_epoch + 1):  # the latter, while the best one is long ago
        with pytest.raises(KilledError):
            pipeline(**given).run(verbose=0, callbacks=[Kill(epoch)])
        assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == epoch + 1
    run = pipeline(**given).run(verbose=0)
    assert run.history.keys() == whole.history.keys()
    for name, values in whole.history.items():
        np.testing.assert_allclose(run.history[name], values, rtol=1e-3, atol=1e-5, err_msg=name)
    assert (run.best_epoch, len(run.history["loss"])) == (whole.best_epoch, whole.best_epoch + 3)
    logs = run.model.evaluate(VALIDATION.to_dataset(40), verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(run.best, rel=1e-5)
    kept = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in kept[1:]] == [str(n) for n in range(len(kept) - 1)]
    assert not (tmp_path / "run" / "backup").exists()


def test_datasets_are_taken_as_they_are():
    train = TRAIN.to_dataset(10).repeat()
    keras.utils.set_random_seed(2)
    made = RankingPipeline(Ranker(FEATURES, seed=2), train, epochs=2)
    run = made.run(verbose=0, steps_per_epoch=3)
    assert run.best == min(run.history["loss"])
    assert isinstance(run.model, recs.Model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "`epochs` must be a positive integer"),
        ({"mode": "best"}, "`mode` must be 'min'"),
        ({"plateau_factor": 1.0}, "`plateau_factor` must be between 0 and 1"),
        ({"patience": -1}, "`patience` must be 0 or more"),
        ({"resume": True}, "`resume` needs `folder`"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        pipeline(**arguments)


def test_a_monitor_that_is_not_there():
    with pytest.raises(ValueError, match=r"`monitor` must be one of the logs: .*val_mrr"):
        pipeline(monitor="val_ndcg").run(verbose=0)
    with pytest.raises(ValueError, match="must be of training where there is no validation"):
        RankingPipeline(Ranker(FEATURES), TRAIN, monitor="val_loss")
