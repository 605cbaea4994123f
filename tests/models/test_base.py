"""`recs.Model`: the loss context, the step, the logs, the binding of tables."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from recs.layers import DynamicEmbedding
from recs.metrics import FactorizedTopK
from recs.models.base import FunctionalModel, Model
from recs.tasks import Retrieval

WAYS = [{}, {"run_eagerly": True}, {"steps_per_execution": 2}]
IDS = ["graph", "eager", "two-a-call"]


class SeesTraining(keras.layers.Layer):
    """Returns 1 when it trains and 0 when it infers, times a weight of 1."""

    def build(self, _):
        self.scale = self.add_weight(shape=(), initializer="ones")

    def call(self, x, training=None):
        return ops.mean(x * 0.0) + self.scale * float(bool(training))


class Nested(Model):
    """Calls a layer inside a layer and hands `training` to neither."""

    def __init__(self):
        super().__init__()
        self.tower = keras.Sequential([SeesTraining()])

    def compute_loss(self, inputs, training=False):
        return self.tower(inputs["x"])


class Linear(Model):
    """The sum of squares of `w x - y`, with an L2 regularizer of one half."""

    def __init__(self, regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(
            1, use_bias=False, kernel_initializer="ones", kernel_regularizer=regularizer
        )

    def compute_loss(self, inputs, training=False):
        return ops.sum(ops.subtract(self.dense(inputs["x"]), inputs["y"]) ** 2)


def _batch(rows=4):
    return {"x": np.full((rows, 1), 2.0, "float32"), "y": np.zeros((rows, 1), "float32")}


def _dataset(rows=8, batch=2):
    return tf.data.Dataset.from_tensor_slices(_batch(rows)).batch(batch)


@pytest.mark.parametrize("how", WAYS, ids=IDS)
def test_nested_layers_know_that_they_train(how):
    model = Nested()
    model.compile(optimizer=keras.optimizers.SGD(0.0), **how)
    history = model.fit(_dataset(), validation_data=_dataset(), verbose=0).history
    assert history["loss"] == [1.0]
    assert history["val_loss"] == [0.0]


@pytest.mark.parametrize("how", WAYS, ids=IDS)
def test_step_follows_the_formula(how):
    # One batch of 4 rows, x = 2, y = 0, w = 1: loss = 4 * 4 = 16, reg = 0.5, and
    # d total / d w = 4 * 2 * 2 * 2 + 1 = 33, so w = 1 - 0.01 * 33.
    model = Linear(keras.regularizers.L2(0.5))
    model.compile(optimizer=keras.optimizers.SGD(0.01), **how)
    history = model.fit(_dataset(4, 4), verbose=0).history
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
    assert model.train_on_batch(_batch(), return_dict=True)["total_loss"] == 16.5
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
        logs = model.test_on_batch(_batch(1), return_dict=True)
        assert logs["regularization_loss"] == 4.0


@pytest.mark.parametrize("how", WAYS[:2], ids=IDS[:2])
def test_gradient_accumulation(how):
    def trained(batch, **options):
        model = Linear()
        model.compile(optimizer=keras.optimizers.SGD(0.01, **options), **how)
        model.fit(_dataset(4, batch), verbose=0)
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
    logs = model.train_on_batch(_batch(), return_dict=True)
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
        model.fit(_dataset(), verbose=0)
    model = Linear()
    model.compile(optimizer=None)
    assert model.evaluate(_dataset(4, 4), verbose=0, return_dict=True)["loss"] == 16.0


def test_no_trainable_weights():
    model = Linear()
    model.dense.trainable = False
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        model.fit(_dataset(), verbose=0)
    assert model.dense.kernel.numpy() == 1.0


def test_compute_loss_must_return_something():
    class Forgets(Linear):
        def compute_loss(self, inputs, training=False):
            super().compute_loss(inputs)

    model = Forgets()
    model.compile(optimizer="sgd")
    with pytest.raises(ValueError, match=r"result of `compute_loss` must be a tensor.*None"):
        model.fit(_dataset(), verbose=0)


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
        lambda m: m.fit(_batch(4), batch_size=4, verbose=0).history["loss"][0],
        lambda m: m.fit(_dataset(4, 4), verbose=0).history["loss"][0],
        lambda m: m.train_on_batch(_batch(4), return_dict=True)["loss"],
        lambda m: m.test_on_batch(_batch(4), return_dict=True)["loss"],
    ],
    ids=["arrays", "dataset", "train_on_batch", "test_on_batch"],
)
def test_every_entrance_gives_compute_loss_the_batch(fit):
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
    x, y = _batch()["x"], _batch()["y"]
    assert model.train_on_batch(x, y, return_dict=True)["loss"] == 16.0
    assert model.fit(x, y, batch_size=4, verbose=0).history["loss"] == [16.0]


class Constraint(keras.constraints.Constraint):
    """Notes what it is told, and whether a gradient had been asked for by then."""

    def __init__(self):
        self.bound = []

    def bind_optimizer(self, optimizer):
        self.bound.append((optimizer, list(GRADIENTS)))

    def __call__(self, value):
        return value


GRADIENTS: list[str] = []


@tf.custom_gradient
def _noted(x):
    def grad(dy):
        GRADIENTS.append("asked")
        return dy

    return tf.identity(x), grad


class Table(keras.layers.Layer):
    def build(self, _):
        self.anchor = self.add_weight(shape=(), constraint=Constraint())

    def call(self, x):
        return _noted(tf.identity(self.anchor.value)) * ops.mean(x)


class Lazy(Model):
    """Makes its table in the first pass."""

    table = None

    def compute_loss(self, inputs, training=False):
        if self.table is None:
            self.table = Table()
        return self.table(inputs["x"])


@pytest.mark.parametrize("how", WAYS, ids=IDS)
def test_tables_are_bound_before_gradients(how):
    GRADIENTS.clear()
    model = Lazy()
    model.compile(optimizer=keras.optimizers.SGD(0.1), **how)
    model.fit(_dataset(), verbose=0)
    optimizer, asked = model.table.anchor.constraint.bound[0]
    assert optimizer is model.optimizer
    assert asked == []
    assert GRADIENTS


def test_compile_binds_tables_again():
    model = Lazy()
    model.compile(optimizer="sgd")
    model.fit(_dataset(), verbose=0)
    model.compile(optimizer="adam")
    assert model.table.anchor.constraint.bound[-1][0] is model.optimizer


def test_plain_and_functional_models_bind_too():
    GRADIENTS.clear()
    inputs = keras.Input((1,))
    table = Table()
    model = Model(inputs, keras.layers.Dense(1)(inputs) + table(inputs))
    assert isinstance(model, FunctionalModel)
    model.compile(optimizer="sgd", loss="mse")
    assert table.anchor.constraint.bound[0][0] is model.optimizer
    model.fit(_batch()["x"], _batch()["y"], verbose=0)
    assert [asked for _, asked in table.anchor.constraint.bound] == [[], []]


def _plain(base):
    class Plain(base):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_initializer="ones")
            self.drop = keras.layers.Dropout(0.0)

        def call(self, x):
            return self.drop(self.dense(x))

    return Plain()


def _functional(base):
    inputs = keras.Input((1,))
    return base(inputs, keras.layers.Dense(1, kernel_initializer="ones")(inputs))


@pytest.mark.parametrize("make", [_plain, _functional])
def test_without_compute_loss_it_is_a_keras_model(make):
    histories = []
    for base in (keras.Model, Model):
        keras.utils.set_random_seed(1)
        model = make(base)
        model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse", metrics=["mae"])
        x = np.arange(8.0).reshape(8, 1)
        history = model.fit(x, 3 * x, epochs=3, validation_split=0.25, verbose=0).history
        histories.append(history)
        assert model.predict(x, verbose=0).shape == (8, 1)
    assert histories[0] == histories[1]


def test_an_override_in_keras_own_manner_is_left_to_keras():
    class Own(Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_initializer="ones")

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.sum((y_pred - y) ** 2)

    model = Own()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(_batch()["x"], _batch()["y"], verbose=0).history
    assert history == {"loss": [16.0]}


def test_functional_models_leave_the_class_as_it_is():
    before = Model.__mro__
    _functional(Model)
    assert Model.__mro__ == before
    test_step_follows_the_formula({})

    class Plain(Model):
        pass

    with pytest.raises(ValueError, match=r"must not be made of `inputs` and `outputs`.*Plain"):
        _functional(Plain)
    assert Model.__mro__ == before


def test_subclasses_take_any_two_arguments():
    class Pair(Model):
        def __init__(self, first, second):
            super().__init__()
            self.both = [first, second]

        def compute_loss(self, inputs, training=False):
            return ops.sum(self.both[1](self.both[0](inputs["x"])))

    model = Pair(keras.layers.Dense(2), keras.layers.Dense(1))
    model.compile(optimizer="sgd")
    model.fit(_dataset(), verbose=0)
    assert len(model.trainable_weights) == 4


def test_functional_model_is_saved_compiled(tmp_path):
    model = _functional(Model)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    model.fit(_batch()["x"], _batch()["y"], verbose=0)
    path = tmp_path / "m.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    assert isinstance(loaded, FunctionalModel)
    model.fit(_batch()["x"], _batch()["y"], verbose=0)
    loaded.fit(_batch()["x"], _batch()["y"], verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_of_a_trained_model_are_saved(tmp_path):
    model = Linear()
    model.compile(optimizer=keras.optimizers.SGD(0.01))
    model.fit(_dataset(), verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    again = Linear()
    again.compile(optimizer=keras.optimizers.SGD(0.01))
    again.test_on_batch(_batch())
    again.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(again.dense.kernel.numpy(), model.dense.kernel.numpy())


def test_compile_after_a_call():
    class Called(Linear):
        def call(self, x):
            return self.dense(x)

    model = Called()
    model(np.ones((1, 1)))
    model.compile(optimizer=keras.optimizers.SGD(0.01))
    assert model.fit(_dataset(4, 4), verbose=0).history["loss"] == [16.0]
    assert model.predict(np.ones((3, 1)), verbose=0).shape == (3, 1)


def test_a_loop_of_ones_own():
    model = Nested()
    optimizer = keras.optimizers.SGD(0.5)
    with tf.GradientTape() as tape:
        loss = model.compute_loss({"x": np.ones((2, 1))}, training=True)
    assert float(loss) == 0.0, "a bare call is inference unless `training` is passed on"
    assert tape.gradient(loss, model.trainable_weights) is not None
    del optimizer


class _Pair(Model):
    """A user's table, and a movie's behind layers that are built on their first call."""

    def __init__(self):
        super().__init__()
        self.user = DynamicEmbedding(4, key_dtype="string", seed=1)
        self.movie = keras.Sequential(
            [DynamicEmbedding(3, key_dtype="string", seed=2), keras.layers.Dense(4)]
        )

    def compute_loss(self, inputs, training=False):
        return keras.ops.sum(self.user(inputs["user"]) * self.movie(inputs["movie"]))


def _pairs() -> tf.data.Dataset:
    columns = {"user": ["a", "b", "c", "d"] * 4, "movie": ["x", "y", "z", "w"] * 4}
    return tf.data.Dataset.from_tensor_slices(columns).batch(4)


def _compiled_pair(**arguments) -> _Pair:
    keras.utils.set_random_seed(1)
    model = _Pair()
    model.compile(keras.optimizers.Adam(0.1), **arguments)
    return model


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("step", ["fit", "train_on_batch"])
def test_layers_built_in_the_first_step_are_not_left_in_training(eager, step):
    model = _compiled_pair(run_eagerly=eager)
    if step == "fit":
        model.fit(_pairs(), verbose=0)
    else:
        model.train_on_batch(next(iter(_pairs())))
    table = model.movie.layers[0].table
    assert table.stats()["step"] > 0
    model.movie(tf.constant(["unknown"]))
    assert not table.contains(["unknown"]).any()


def test_a_killed_fit_resumes_from_its_backup(tmp_path):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole = _compiled_pair()
    whole.fit(_pairs(), epochs=4, verbose=0)
    interrupted = _compiled_pair()
    callbacks = [keras.callbacks.BackupAndRestore(tmp_path), Kill()]
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(_pairs(), epochs=4, verbose=0, callbacks=callbacks)
    resumed = _compiled_pair()
    resumed.fit(
        _pairs(), epochs=4, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)]
    )
    movies = tf.constant(["x", "y", "z", "unknown"])
    np.testing.assert_allclose(resumed.movie(movies), whole.movie(movies), rtol=1e-5)
    assert resumed.user.table.stats()["step"] == 16
