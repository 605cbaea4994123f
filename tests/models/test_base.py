"""`recs.Model`: the loss context, the step and the logs."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from recs.metrics import FactorizedTopK
from recs.models.base import Model
from recs.tasks import Retrieval
from tests.models.small_models import IDS, WAYS, Linear, Nested, batch, dataset


@pytest.mark.parametrize("how", WAYS, ids=IDS)
def test_nested_layers_know_that_they_train(how):
    model = Nested()
    model.compile(optimizer=keras.optimizers.SGD(0.0), **how)
    history = model.fit(dataset(), validation_data=dataset(), verbose=0).history
    assert history["loss"] == [1.0]
    assert history["val_loss"] == [0.0]


@pytest.mark.parametrize("how", WAYS, ids=IDS)
def test_step_follows_the_formula(how):
    # One batch of 4 rows, x = 2, y = 0, w = 1: loss = 4 * 4 = 16, reg = 0.5, and
    # d total / d w = 4 * 2 * 2 * 2 + 1 = 33, so w = 1 - 0.01 * 33.
    model = Linear(keras.regularizers.L2(0.5))
    model.compile(optimizer=keras.optimizers.SGD(0.01), **how)
    history = model.fit(dataset(4, 4), verbose=0).history
    assert history == {"loss": [16.0], "regularization_loss": [0.5], "total_loss": [16.5]}
    np.testing.assert_allclose(model.dense.kernel.numpy(), [[0.67]], rtol=1e-6)


def test_epoch_and_evaluation_log_the_mean_of_the_batches():
    model = Linear()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    x = {"x": np.array([[1.0], [2.0], [3.0]], "float32"), "y": np.zeros((3, 1), "float32")}
    data = tf.data.Dataset.from_tensor_slices(x).batch(1)
    mean = (1 + 4 + 9) / 3
    np.testing.assert_allclose(model.fit(data, verbose=0).history["loss"], [mean], rtol=1e-6)
    logs = model.evaluate(data, verbose=0, return_dict=True)
    assert set(logs) == {"loss", "regularization_loss", "total_loss"}
    np.testing.assert_allclose(logs["total_loss"], mean, rtol=1e-6)
    np.testing.assert_allclose(model.evaluate(data, verbose=0), [mean, 0, mean], rtol=1e-6)
    # The step itself logs its batch's.
    assert float(model.test_step(next(iter(data)))["loss"]) == 1.0


def test_losses_that_are_no_scalars_are_summed():
    class Vector(Linear):
        def compute_loss(self, inputs, training=False):
            return (self.dense(inputs["x"]) - inputs["y"]) ** 2

    model = Vector(keras.regularizers.L2(0.5))
    model.compile(optimizer=keras.optimizers.SGD(0.01))
    assert model.train_on_batch(batch(), return_dict=True)["total_loss"] == 16.5
    # The regularizer counts once, not once for each row.
    np.testing.assert_allclose(model.dense.kernel.numpy(), [[0.67]], rtol=1e-6)


def test_activity_losses_are_of_this_step_alone():
    class Active(Model):
        def __init__(self):
            super().__init__()
            self.act = keras.layers.ActivityRegularization(l2=1.0)

        def compute_loss(self, inputs, training=False):
            return ops.sum(self.act(inputs["x"])) * 0.0

    model = Active()
    model.compile(optimizer=None, run_eagerly=True)
    for _ in range(3):
        logs = model.test_on_batch(batch(1), return_dict=True)
        assert logs["regularization_loss"] == 4.0


@pytest.mark.parametrize("how", WAYS[:2], ids=IDS[:2])
def test_gradient_accumulation(how):
    def trained(batch, **options):
        model = Linear()
        model.compile(optimizer=keras.optimizers.SGD(0.01, **options), **how)
        model.fit(dataset(4, batch), verbose=0)
        return model.dense.kernel.numpy()

    # Keras averages what it accumulates: two batches of 2 rows, half of one of 4.
    one = trained(4)
    two = trained(2, gradient_accumulation_steps=2)
    np.testing.assert_allclose(1 - two, (1 - one) / 2, rtol=1e-5)


def test_mixed_float16_scales_the_loss():
    keras.config.set_dtype_policy("mixed_float16")
    model = Linear()
    inner = keras.optimizers.SGD(0.01)
    model.compile(keras.optimizers.LossScaleOptimizer(inner, initial_scale=64.0), run_eagerly=True)
    seen, apply = [], model.optimizer.apply
    model.optimizer.apply = lambda grads, weights: (seen.extend(grads), apply(grads, weights))
    logs = model.train_on_batch(batch(), return_dict=True)
    assert logs["loss"] == 16.0
    assert float(seen[0][0, 0]) == 32 * 64.0
    np.testing.assert_allclose(model.dense.kernel.numpy(), [[1 - 0.01 * 32]], rtol=1e-3)


def test_compile_wraps_the_optimizer_in_mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    model = Linear()
    model.compile(optimizer="sgd")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


def test_a_step_that_overflows_is_skipped():
    keras.config.set_dtype_policy("mixed_float16")
    model = Linear()
    model.compile(optimizer=keras.optimizers.SGD(0.01))
    batch = {"x": np.full((4, 1), 300.0, "float32"), "y": np.zeros((4, 1), "float32")}
    model.train_on_batch(batch)
    assert model.dense.kernel.numpy() == 1.0
    assert float(model.optimizer.dynamic_scale) == model.optimizer.initial_scale / 2


def test_labels_and_ids_are_not_cast():
    keras.config.set_dtype_policy("mixed_float16")
    seen = {}

    class Looks(Linear):
        def compute_loss(self, inputs, training=False):
            seen.update({k: (v.dtype.name, v.numpy().tolist()) for k, v in inputs.items()})
            return super().compute_loss({"x": inputs["f"][:, None], "y": 0.0})

    model = Looks()
    model.compile(optimizer=keras.optimizers.SGD(0.0), run_eagerly=True)
    model.fit(
        tf.data.Dataset.from_tensors({"id": [2**40 + 1], "name": ["a"], "f": [70000.0]}), verbose=0
    )
    assert seen == {
        "id": ("int64", [2**40 + 1]),
        "name": ("string", [b"a"]),
        "f": ("float32", [70000.0]),
    }


def test_ragged_input_reaches_compute_loss():
    class Ragged(Linear):
        def compute_loss(self, inputs, training=False):
            assert isinstance(inputs["r"], tf.RaggedTensor)
            means = tf.reduce_mean(inputs["r"], axis=1, keepdims=True)
            return ops.sum(self.dense(means))

    model = Ragged()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    rows = tf.ragged.constant([[1.0, 3.0], [5.0]])
    logs = model.fit(tf.data.Dataset.from_tensors({"r": rows}), verbose=0).history
    assert logs["loss"] == [7.0]


def test_no_optimizer():
    model = Linear()
    model.compile(optimizer=None)
    with pytest.raises(ValueError, match=r"`optimizer` must be given to train .* Linear 'linear"):
        model.fit(dataset(), verbose=0)
    model = Linear()
    model.compile(optimizer=None)
    assert model.evaluate(dataset(4, 4), verbose=0, return_dict=True)["loss"] == 16.0


def test_no_trainable_weights():
    model = Linear()
    model.dense.trainable = False
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        model.fit(dataset(), verbose=0)
    assert model.dense.kernel.numpy() == 1.0


def test_compute_loss_must_return_something():
    class Forgets(Linear):
        def compute_loss(self, inputs, training=False):
            super().compute_loss(inputs)

    model = Forgets()
    model.compile(optimizer="sgd")
    with pytest.raises(ValueError, match=r"result of `compute_loss` must be a tensor.*None"):
        model.fit(dataset(), verbose=0)


def _tower_pair():
    class Pair(Model):
        def __init__(self):
            super().__init__()
            self.table = keras.layers.Embedding(9, 2)
            rows = tf.data.Dataset.range(9).batch(4).map(self.table)
            self.task = Retrieval(
                metrics=FactorizedTopK(rows, ks=(1, 9)),
                batch_metrics=[keras.metrics.TopKCategoricalAccuracy(k=1, name="in_batch")],
                loss_metrics=[keras.metrics.Mean(name="mean_loss")],
            )

        def compute_loss(self, inputs, training=False):
            return self.task(self.table(inputs), self.table(inputs))

    return Pair()


@pytest.mark.parametrize("how", WAYS, ids=IDS)
def test_metrics_of_tasks_are_logged_once_and_reset(how):
    model = _tower_pair()
    model.compile(optimizer=keras.optimizers.SGD(0.0), **how)
    data = tf.data.Dataset.range(8).batch(4)
    names = [
        "loss",
        "regularization_loss",
        "total_loss",
        "in_batch",
        "mean_loss",
        "factorized_top_k/top_1_categorical_accuracy",
        "factorized_top_k/top_9_categorical_accuracy",
    ]
    history = model.fit(data, epochs=2, verbose=0).history
    assert sorted(history) == sorted(names)
    assert sorted(m.name for m in model.metrics) == sorted(names)
    # Without a reset the mean of the loss would be that of both epochs all the same, so count.
    mean = next(m for m in model.metrics if m.name == "mean_loss")
    assert float(mean.count) == 2
    assert history["factorized_top_k/top_9_categorical_accuracy"] == [1.0, 1.0]
    model.reset_metrics()
    assert all(float(ops.sum(v)) == 0.0 for m in model.metrics for v in m.variables)


def test_new_metrics_replace_the_old_ones():
    model = _tower_pair()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    model.fit(tf.data.Dataset.range(8).batch(4), verbose=0)
    rows = tf.data.Dataset.range(9).batch(4).map(model.table)
    model.task.factorized_metrics = FactorizedTopK(rows, ks=(2,), name="new")
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    logs = model.evaluate(tf.data.Dataset.range(8).batch(4), verbose=0, return_dict=True)
    assert "new/top_2_categorical_accuracy" in logs
    assert not any(name.startswith("factorized_top_k/") for name in logs)


@pytest.mark.parametrize(
    "fit",
    [
        lambda m: m.fit(batch(4), batch_size=4, verbose=0).history["loss"][0],
        lambda m: m.fit(dataset(4, 4), verbose=0).history["loss"][0],
        lambda m: m.train_on_batch(batch(4), return_dict=True)["loss"],
        lambda m: m.test_on_batch(batch(4), return_dict=True)["loss"],
    ],
    ids=["arrays", "dataset", "train_on_batch", "test_on_batch"],
)
def test_every_entrance_gives_compute_loss_thebatch(fit):
    model = Linear()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    assert fit(model) == 16.0


def test_pairs_stay_pairs():
    class Paired(Linear):
        def compute_loss(self, inputs, training=False):
            features, labels = inputs
            return super().compute_loss({"x": features, "y": labels})

    model = Paired()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    x, y = batch()["x"], batch()["y"]
    assert model.train_on_batch(x, y, return_dict=True)["loss"] == 16.0
    assert model.fit(x, y, batch_size=4, verbose=0).history["loss"] == [16.0]
