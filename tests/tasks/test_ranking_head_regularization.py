"""What a `RankingHead` makes of the losses of its scorer: none is lost or counted twice."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import recs
from recs.layers import DynamicEmbedding, EmbeddingCollection, FeatureConfig, TableConfig
from recs.tasks import RankingHead

RNG = np.random.default_rng(6)
X = RNG.normal(size=(4, 5, 3)).astype("float32")
Y = RNG.integers(0, 3, (4, 5)).astype("float32")
L2, L1, WEIGHT = 0.3, 0.2, 2.5


class Penalized(keras.layers.Layer):
    """Adds a loss of its own in `call`, and has a kernel with a regularizer."""

    def __init__(self, units):
        super().__init__()
        self.dense = keras.layers.Dense(units, kernel_regularizer=keras.regularizers.L2(L2))

    def call(self, inputs):
        outputs = self.dense(inputs)
        self.add_loss(0.01 * ops.mean(outputs**2))
        return outputs


def sequential():
    return keras.Sequential([Penalized(4), keras.layers.Dense(1)])


def functional():
    inputs = keras.Input((5, 3))
    return keras.Model(inputs, keras.layers.Dense(1)(Penalized(4)(inputs)))


class Subclassed(keras.Model):
    def __init__(self, make=Penalized, args=(4,)):
        super().__init__()
        self.inner = make(*args)
        self.last = keras.layers.Dense(1)

    def call(self, inputs, training=None):
        return self.last(self.inner(inputs))


def nested():
    inputs = keras.Input((5, 3))
    return keras.Sequential([keras.Model(inputs, Subclassed(functional, ())(inputs))])


def wrapped():
    """Keras's wrapper goes past `__call__` of what it wraps: what that calls itself is not lost."""
    return keras.Sequential([keras.layers.TimeDistributed(Penalized(4)), keras.layers.Dense(1)])


SCORERS = [sequential, functional, Subclassed, nested, wrapped]


class Ranker(recs.Model):
    def __init__(self, head, twice=False, extra=None):
        super().__init__()
        self.head = head
        self.twice = twice
        self.extra = extra  # tracked a second time

    def compute_loss(self, inputs, training=False):
        loss = self.head(inputs["y"], inputs["x"])
        return loss + self.head(inputs["y"], -inputs["x"]) if self.twice else loss


def penalized(layer):
    """Returns the one layer with losses, however deep it is."""
    (found,) = [x for x in layer._flatten_layers() if isinstance(x, Penalized)]
    return found


def expected(head, x, calls=1):
    """Returns the regularization of one batch, from the weights before the step."""
    kernel, bias = (np.asarray(w) for w in penalized(head).dense.get_weights())
    activity = sum(0.01 * np.mean((sign * x @ kernel + bias) ** 2) for sign in (1, -1)[:calls])
    return WEIGHT * (L2 * (kernel**2).sum() + activity)


@pytest.mark.parametrize("make", SCORERS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("eager", [False, True])
def test_no_loss_is_lost_or_counted_twice(make, eager):
    head = RankingHead(scorer=make(), regularization_weight=WEIGHT)
    model = Ranker(head)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=eager)
    batch = {"x": X, "y": Y}
    first = model.test_on_batch(batch, return_dict=True)
    want = expected(head, X)
    # Keras's wrapper calls its layer once for each of 5 places.
    if make is wrapped:
        kernel, bias = (np.asarray(w) for w in penalized(head).dense.get_weights())
        want += WEIGHT * 4 * 0.01 * np.mean((X @ kernel + bias) ** 2)
    for logs in (first, model.train_on_batch(batch, return_dict=True)):
        np.testing.assert_allclose(logs["regularization_loss"], want, rtol=1e-5)
        np.testing.assert_allclose(logs["total_loss"], logs["loss"] + want, rtol=1e-5)
    assert logs["loss"] == first["loss"]


@pytest.mark.parametrize("weight", [0.0, 1.0, WEIGHT])
def test_the_step_follows_the_weighted_sum(weight):
    """One step of SGD equals the gradient of the sum, written out."""
    head = RankingHead(scorer=functional(), regularization_weight=weight)
    model = Ranker(head)
    model.compile(keras.optimizers.SGD(0.1))
    variables = head.trainable_variables
    dense = penalized(head).dense
    with tf.GradientTape() as tape:
        hidden = ops.convert_to_tensor(X) @ dense.kernel + dense.bias
        last = head.scorer.layers[-1]
        scores = (hidden @ last.kernel + last.bias)[..., 0]
        total = recs.losses.SoftmaxLoss()(Y, scores) + weight * (
            L2 * ops.sum(dense.kernel**2) + 0.01 * ops.mean(hidden**2)
        )
    gradients = tape.gradient(total, [v.value for v in variables])
    want = [v.numpy() - 0.1 * g.numpy() for v, g in zip(variables, gradients, strict=True)]
    model.train_on_batch({"x": X, "y": Y})
    for got, expected_value in zip(variables, want, strict=True):
        np.testing.assert_allclose(got.numpy(), expected_value, rtol=1e-4, atol=1e-6)


def test_a_head_that_is_called_twice_regularizes_weights_once():
    head = RankingHead(scorer=functional(), regularization_weight=WEIGHT)
    model = Ranker(head, twice=True)
    model.compile(keras.optimizers.SGD(0.1))
    for _ in range(3):
        logs = model.test_on_batch({"x": X, "y": Y}, return_dict=True)
        np.testing.assert_allclose(logs["regularization_loss"], expected(head, X, 2), rtol=1e-5)


def test_a_scorer_that_the_model_holds_too_counts_once():
    scorer = functional()
    head = RankingHead(scorer=scorer, regularization_weight=WEIGHT)
    model = Ranker(head, extra=scorer)
    model.compile("sgd")
    logs = model.test_on_batch({"x": X, "y": Y}, return_dict=True)
    np.testing.assert_allclose(logs["regularization_loss"], expected(head, X), rtol=1e-5)


def test_elastic_net_of_the_head():
    elastic = keras.regularizers.L1L2(L1, L2)
    head = RankingHead(units=1, kernel_regularizer=elastic, regularization_weight=WEIGHT)
    model = Ranker(head)
    model.compile(keras.optimizers.SGD(0.0))
    logs = model.train_on_batch({"x": X, "y": Y}, return_dict=True)
    kernel = head.scores.members[0].dense.kernel.numpy()
    want = WEIGHT * (L1 * np.abs(kernel).sum() + L2 * (kernel**2).sum())
    np.testing.assert_allclose(logs["regularization_loss"], want, rtol=1e-5)


def test_a_scorer_outside_of_the_head_is_not_lost():
    class Outside(Ranker):
        def compute_loss(self, inputs, training=False):
            return self.head(inputs["y"], self.extra(inputs["x"]))

    scorer = functional()
    model = Outside(RankingHead(regularization_weight=WEIGHT), extra=scorer)
    model.compile("sgd")
    logs = model.test_on_batch({"x": X, "y": Y}, return_dict=True)
    want = expected(scorer, X) / WEIGHT
    np.testing.assert_allclose(logs["regularization_loss"], want, rtol=1e-5)


IDS = np.array([[1, 2, 2, 7], [7, 7, 3, 1]])


def embedding_scorer():
    ids = keras.Input((None,), dtype="int64")
    rows = DynamicEmbedding(3, embeddings_regularizer=keras.regularizers.L2(L2), seed=1)(ids)
    return keras.Model(ids, keras.layers.Dense(1)(rows))


class CollectionScorer(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        table = TableConfig("items", 3, regularizer=keras.regularizers.L2(L2), seed=1)
        self.collection = EmbeddingCollection([FeatureConfig("id", table, combiner=None)])
        self.dense = keras.layers.Dense(1)

    def call(self, inputs, training=None):
        return self.dense(self.collection({"id": inputs})["id"])


@pytest.mark.parametrize("make", [embedding_scorer, CollectionScorer], ids=lambda m: m.__name__)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_rows_of_embeddings_count_once_each(make, policy):
    keras.config.set_dtype_policy(policy)
    try:
        head = RankingHead(scorer=make(), regularization_weight=WEIGHT)
        model = Ranker(head)
        model.compile(keras.optimizers.SGD(0.0))
        batch = {"x": IDS, "y": Y[:2, :4]}
        logs = model.train_on_batch(batch, return_dict=True)
    finally:
        keras.config.set_dtype_policy("float32")
    oracle = DynamicEmbedding(3, seed=1, name="oracle")
    rows = oracle(np.unique(IDS), training=True).numpy()
    want = WEIGHT * L2 * (rows**2).sum()
    np.testing.assert_allclose(logs["regularization_loss"], want, rtol=1e-4)
    # A validation looks rows up, and trains none.
    assert model.test_on_batch(batch, return_dict=True)["regularization_loss"] == 0


def test_rows_shrink_by_the_weighted_regularization():
    scorer = embedding_scorer()
    (table,) = [x for x in scorer.layers if isinstance(x, DynamicEmbedding)]
    scorer.layers[-1].set_weights([np.zeros((3, 1)), np.zeros(1)])
    model = Ranker(RankingHead(scorer=scorer, regularization_weight=WEIGHT))
    model.compile(keras.optimizers.SGD(0.1))
    table(IDS, training=True)
    before = table(np.unique(IDS)).numpy()
    model.train_on_batch({"x": IDS, "y": Y[:2, :4]})
    after = table(np.unique(IDS)).numpy()
    np.testing.assert_allclose(after, before * (1 - 0.1 * WEIGHT * L2 * 2), rtol=1e-4)


def test_validation_reports_the_ranking_loss_alone():
    data = tf.data.Dataset.from_tensors({"x": X, "y": Y})
    losses = []
    for weight in (0.0, WEIGHT):
        keras.utils.set_random_seed(4)
        head = RankingHead(scorer=functional(), regularization_weight=weight)
        model = Ranker(head)
        model.compile(keras.optimizers.SGD(0.0))
        logs = model.fit(data, validation_data=data, verbose=0).history
        losses.append(logs["val_loss"])
        np.testing.assert_allclose(
            logs["val_total_loss"][0], logs["val_loss"][0] + logs["val_regularization_loss"][0]
        )
    assert losses[0] == losses[1]
    assert logs["val_regularization_loss"][0] > 0


def test_plain_compile_adds_them_as_keras_does():
    head = RankingHead(scorer=functional(), units=1)
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, head.scores(inputs))
    model.compile("sgd", loss=head.loss)
    want = float(head(Y, X)) + expected(head, X) / WEIGHT
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), want, rtol=1e-5)


@pytest.mark.slow
def test_regularization_lowers_the_loss_of_unseen_lists():
    rng = np.random.default_rng(4)

    def lists(count):
        x = rng.normal(size=(count, 8, 20)).astype("float32")
        wanted = x[..., :2].sum(-1) + rng.normal(size=(count, 8))
        y = np.clip(np.round(wanted), 0, 3).astype("float32")
        return tf.data.Dataset.from_tensors({"x": x, "y": y})

    train, test = lists(30), lists(200)
    unseen, seen = {}, {}
    for weight in (0.0, 2.0):
        keras.utils.set_random_seed(7)
        scorer = keras.layers.Dense(32, "relu", kernel_regularizer=keras.regularizers.L2(0.02))
        elastic = keras.regularizers.L1L2(0.002, 0.02)
        model = Ranker(
            RankingHead(
                scorer=scorer, units=1, kernel_regularizer=elastic, regularization_weight=weight
            )
        )
        model.compile(keras.optimizers.Adam(0.01))
        history = model.fit(train.repeat(10), epochs=15, validation_data=test, verbose=0).history
        unseen[weight], seen[weight] = history["val_loss"], history["loss"]
    assert seen[0.0][-1] < seen[2.0][-1]  # learned by heart
    assert unseen[0.0][-1] > 1.1 * min(unseen[0.0])
    assert unseen[2.0][-1] < 0.9 * unseen[0.0][-1]
