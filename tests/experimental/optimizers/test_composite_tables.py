"""Tables of a model that is compiled with a CompositeOptimizer follow the part of their anchor."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.experimental.optimizers import CompositeOptimizer
from recs.layers import DynamicEmbedding, EmbeddingCollection, FeatureConfig, TableConfig
from recs.models import Model

VOCABULARY, DIM = 6, 3
RNG = np.random.default_rng(4)
START = RNG.normal(size=(2, VOCABULARY, DIM)).astype("float32")
BATCHES = [
    {"user": RNG.integers(0, VOCABULARY, 8), "item": RNG.integers(0, VOCABULARY, 8)}
    for _ in range(5)
]
# Every id in every batch: moments of rows that are missing from one would rest in tables.
for batch in BATCHES:
    batch["user"][:VOCABULARY] = batch["item"][:VOCABULARY] = np.arange(VOCABULARY)


class Towers(Model):
    """Two embeddings and a dense layer, from ids or from one-hot rows."""

    def __init__(self, users, items):
        super().__init__()
        self.users, self.items = users, items
        self.top = keras.layers.Dense(1, kernel_initializer="ones")
        self.top.build((None, DIM))

    def compute_loss(self, inputs, training=False):
        product = self.users(inputs["user"]) * self.items(inputs["item"])
        return keras.ops.mean((self.top(product) - 1.0) ** 2)


def tables(**arguments):
    made = [DynamicEmbedding(DIM, seed=1, name=name, **arguments) for name in ("users", "items")]
    for layer, rows in zip(made, START, strict=True):
        layer.table.upsert(np.arange(VOCABULARY), rows)
    return made


def kernels():
    made = [keras.layers.Dense(DIM, use_bias=False, name=name) for name in ("users", "items")]
    for layer, rows in zip(made, START, strict=True):
        layer.build((None, VOCABULARY))
        layer.set_weights([rows])
    return made


def compiled(layers, wrap=lambda optimizer: optimizer, first=None, **how):
    model = Towers(*layers)
    parts = [
        (first or keras.optimizers.Adam(0.1), lambda: model.users.trainable_variables),
        (
            keras.optimizers.Adagrad(0.2),
            lambda: [*model.items.trainable_variables, *model.top.trainable_variables],
        ),
    ]
    model.compile(wrap(CompositeOptimizer(parts)), **how)
    return model


def one_hot(batch):
    return {key: np.eye(VOCABULARY, dtype="float32")[ids] for key, ids in batch.items()}


def rows_of(model):
    return [layer.table.lookup(np.arange(VOCABULARY)) for layer in (model.users, model.items)]


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}], ids=["graph", "eager"])
def test_rows_move_as_dense_weights_of_the_same_part(how):
    model, twin = compiled(tables(), **how), compiled(kernels())
    for batch in BATCHES:
        model.train_on_batch(batch)
        twin.train_on_batch(one_hot(batch))
    for rows, layer in zip(rows_of(model), (twin.users, twin.items), strict=True):
        np.testing.assert_allclose(rows, layer.get_weights()[0], rtol=1e-5, atol=1e-6)
    kinds = [layer.table.stats()["optimizer"] for layer in (model.users, model.items)]
    assert kinds == ["adam", "adagrad"]
    np.testing.assert_allclose(
        model.top.get_weights()[0], twin.top.get_weights()[0], rtol=1e-5, atol=1e-6
    )


def test_a_loss_scale_around_it_is_divided_out():
    scaler = keras.optimizers.LossScaleOptimizer
    model, plain = compiled(tables(), scaler), compiled(tables())
    for batch in BATCHES:
        model.train_on_batch(batch)
        plain.train_on_batch(batch)
    for rows, expected in zip(rows_of(model), rows_of(plain), strict=True):
        np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-5)


def test_a_constant_loss_scale_of_the_parts_is_divided_out():
    def scaled(optimizer):
        optimizer.loss_scale_factor = 64.0
        return optimizer

    model, plain = compiled(tables(), scaled), compiled(tables())
    for one in (model, plain):
        one.train_on_batch(BATCHES[0])
    for rows, expected in zip(rows_of(model), rows_of(plain), strict=True):
        np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-6)


def test_a_layer_with_its_own_optimizer_follows_that_one():
    model = compiled(tables(optimizer=keras.optimizers.SGD(0.1)))
    model.train_on_batch(BATCHES[0])
    assert [m.table.stats()["optimizer"] for m in (model.users, model.items)] == ["sgd", "sgd"]


def test_a_collection_follows_the_part_of_its_anchor():
    class Collected(Model):
        def __init__(self):
            super().__init__()
            table = TableConfig("items", DIM, seed=1)
            self.embeddings = EmbeddingCollection([FeatureConfig("item", table, combiner=None)])
            self.top = keras.layers.Dense(1)

        def compute_loss(self, inputs, training=False):
            return keras.ops.mean(self.top(self.embeddings(inputs)["item"]) ** 2)

    model = Collected()
    model.compile(
        CompositeOptimizer(
            [
                (keras.optimizers.SGD(0.1), lambda: model.top.trainable_variables),
                (keras.optimizers.Lion(0.1), lambda: model.embeddings.trainable_variables),
            ]
        )
    )
    model.fit(tf.data.Dataset.from_tensors({"item": BATCHES[0]["item"]}), verbose=0)
    assert model.embeddings.table("items").stats()["optimizer"] == "lion"


def test_a_checkpoint_goes_on_where_it_was(tmp_path):
    model, other = compiled(tables()), compiled(tables())
    for batch in BATCHES[:2]:
        model.train_on_batch(batch)
    path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(tmp_path / "c"))
    other.train_on_batch(BATCHES[4])
    tf.train.Checkpoint(model=other, optimizer=other.optimizer).read(path)
    for batch in BATCHES[2:]:
        model.train_on_batch(batch)
        other.train_on_batch(batch)
    for rows, expected in zip(rows_of(other), rows_of(model), strict=True):
        np.testing.assert_array_equal(rows, expected)


def test_a_saved_functional_model_goes_on_where_it_was(tmp_path):
    inputs = {key: keras.Input((), dtype="int64", name=key) for key in ("user", "item")}
    users, items = tables()
    outputs = keras.layers.Dense(1)(users(inputs["user"]) * items(inputs["item"]))
    model = Model(inputs, outputs)
    parts = [
        (keras.optimizers.Adam(0.1), lambda: users.trainable_variables),
        (
            keras.optimizers.Adagrad(0.2),
            lambda: [*items.trainable_variables, *model.layers[-1].trainable_variables],
        ),
    ]
    model.compile(CompositeOptimizer(parts), "mse")
    target = np.ones((8, 1), "float32")
    for batch in BATCHES[:2]:
        model.train_on_batch(batch, target)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    for batch in BATCHES[2:]:
        for one in (model, again):
            one.train_on_batch(batch, target)
    np.testing.assert_array_equal(
        again.predict(BATCHES[0], verbose=0), model.predict(BATCHES[0], verbose=0)
    )
    layers = [again.get_layer(name) for name in ("users", "items")]
    assert [layer.table.stats()["optimizer"] for layer in layers] == ["adam", "adagrad"]


def test_an_anchor_that_nobody_names_is_an_error():
    model = Towers(*tables())
    model.compile(
        CompositeOptimizer([(keras.optimizers.SGD(0.1), lambda: model.top.trainable_variables)])
    )
    with pytest.raises(ValueError, match="such as 'users/anchor', must be the weight of an opt"):
        model.train_on_batch(BATCHES[0])


def test_a_part_that_tables_cannot_follow_is_an_error():
    model = compiled(tables(), first=keras.optimizers.Adafactor(0.1))
    with pytest.raises(ValueError, match=r"optimizer=Adafactor \(in DynamicEmbedding 'users'\)"):
        model.train_on_batch(BATCHES[0])


def test_a_layer_takes_a_part_not_the_whole():
    composite = CompositeOptimizer([(keras.optimizers.SGD(), list)])
    with pytest.raises(ValueError, match=r"optimizer=CompositeOptimizer.*compile a `recs.Model`"):
        DynamicEmbedding(2, optimizer=composite)
