"""What ready models log of their losses: means per example, and totals where there are any."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import recs
from recs.data import Interactions, sequences
from recs.layers.sequence import MeanHistory
from recs.losses import BPR
from recs.models import RatingModel, SequentialRetrieval, TwoTower
from tests.models.small_models import IDS, WAYS

LOG = Interactions(
    {
        "user": list("uuuuvvvvww"),
        "item": list("abcdabdcbd"),
        "rating": [5.0, 1.0, 4.0, 3.0, 2.0, 2.0, 1.0, 4.0, 5.0, 3.0],
        "timestamp": np.arange(10),
    }
)
ALL = ["loss", "regularization_loss", "total_loss"]


def two_tower(base=TwoTower, **arguments):
    return base(user="user", item="item", embedding_dim=4, seed=3, **arguments)


def sequential(**arguments):
    encoder = MeanHistory(max_length=2)
    return SequentialRetrieval(encoder, item="item", embedding_dim=4, seed=3, **arguments)


def rating(**arguments):
    given = {"user": "user", "item": "item", "rating": "rating", "embedding_dim": 4, "seed": 3}
    return RatingModel(**given, **arguments)


def pairs(batch_size=4):
    return LOG.to_dataset(["user", "item"], batch_size=batch_size)


def rated(batch_size=4):
    return LOG.to_dataset(["user", "item", "rating"], batch_size=batch_size)


def histories(batch_size=4):
    return sequences.windows(LOG, 3).to_dataset(["history", "item"], batch_size=batch_size)


def next_items(batch):
    return int(np.minimum(np.asarray(batch["history"].row_lengths()), 2).sum())


def rows(batch):
    return len(batch["item"])


SUMS = {
    "pairs": (two_tower, pairs, rows),
    "the next item": (sequential, histories, rows),
    "every next item": (lambda: sequential(positions="all"), histories, next_items),
}


@pytest.mark.parametrize(("make", "data", "count"), SUMS.values(), ids=list(SUMS))
def test_the_mean_per_example_is_logged_of_a_sum(make, data, count):
    model = make()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    batches = list(data())
    assert len({count(batch) for batch in batches}) > 1  # The last one is smaller.
    model(batches[0])
    sums = [float(model.compute_loss(batch)) for batch in batches]
    counts = [count(batch) for batch in batches]
    step = model.test_on_batch(batches[0], return_dict=True)
    assert float(step["loss"]) == pytest.approx(sums[0] / counts[0], rel=1e-5)
    expected = pytest.approx(sum(sums) / sum(counts), rel=1e-5)
    assert model.evaluate(data(), verbose=0, return_dict=True)["loss"] == expected


@pytest.mark.parametrize(
    ("model", "data"), [(two_tower(loss=BPR()), pairs), (rating(), rated)], ids=["bpr", "rating"]
)
def test_a_loss_that_is_a_mean_is_logged_as_it_is(model, data):
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    batch = next(iter(data()))
    model(batch)
    expected = pytest.approx(float(model.compute_loss(batch)), rel=1e-5)
    assert float(model.test_on_batch(batch, return_dict=True)["loss"]) == expected


def test_what_is_minimized_stays_the_sum():
    class Sums(TwoTower):
        def _examples_summed(self, inputs):
            return None

    trained = []
    for base in (TwoTower, Sums):
        model = two_tower(base)
        model.compile(optimizer=keras.optimizers.SGD(0.1))
        model.fit(pairs(), epochs=2, verbose=0)
        trained.append(model.query_vectors(["u", "v", "w"]))
    np.testing.assert_array_equal(*trained)


class Steps(keras.callbacks.Callback):
    """Keeps the names that each step logs."""

    def __init__(self):
        super().__init__()
        self.names = []

    def on_train_batch_end(self, batch, logs=None):
        self.names.append(sorted(set(logs) & set(ALL)))


@pytest.mark.parametrize(
    ("how", "make", "data"),
    [*((how, two_tower, pairs) for how in WAYS), (WAYS[0], rating, rated)],
    ids=[*IDS, "RatingModel"],
)
@pytest.mark.parametrize("regularization", [0.0, 0.1])
def test_totals_are_logged_where_something_is_regularized(how, make, data, regularization):
    model, steps = make(regularization=regularization), Steps()
    model.compile(optimizer=keras.optimizers.SGD(0.1), **how)
    before = model.evaluate(data(), verbose=0, return_dict=True)
    assert "loss" in before
    history = model.fit(
        data(), validation_data=data(), epochs=2, verbose=0, callbacks=[steps]
    ).history
    names = ALL if regularization else ALL[:1]
    assert set(map(tuple, steps.names)) == {tuple(names)}
    assert set(history) >= {*names, *(f"val_{name}" for name in names)}
    assert ("total_loss" in history) == ("val_total_loss" in history) == bool(regularization)
    if regularization:
        assert min(history["regularization_loss"]) > 0
        total = np.add(history["loss"], history["regularization_loss"])
        np.testing.assert_allclose(history["total_loss"], total, rtol=1e-5)


def test_a_loss_that_a_layer_adds_counts():
    class Adding(TwoTower):
        def compute_loss(self, inputs, training=False):
            self.add_loss(keras.ops.convert_to_tensor(8.0))
            return super().compute_loss(inputs, training=training)

    model = two_tower(Adding)
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(pairs(5), epochs=1, verbose=0).history
    assert history["regularization_loss"] == [pytest.approx(8 / 5)]


def test_a_model_of_ones_own_always_logs_them():
    class Own(recs.Model):
        def __init__(self):
            super().__init__()
            self.users = recs.layers.DynamicEmbedding(4, key_dtype="string", seed=1)
            self.items = recs.layers.DynamicEmbedding(4, key_dtype="string", seed=2)
            self.task = recs.tasks.Retrieval()

        def compute_loss(self, inputs, training=False):
            return self.task(self.users(inputs["user"]), self.items(inputs["item"]))

    model = Own()
    model.compile(optimizer="sgd")
    batch = next(iter(pairs()))
    logs = model.train_on_batch(batch, return_dict=True)
    assert set(logs) >= set(ALL)
    assert float(logs["loss"]) == pytest.approx(4 * np.log(4), rel=0.01)  # The sum, as in TFRS.
