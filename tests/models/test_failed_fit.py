"""A fit after one that failed trains as a model that never failed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from tests.models.ready_models import NEEDS, READY


def losses(model, data):
    history = model.fit(data, epochs=2, verbose=0).history
    return history.get("total_loss", history["loss"])


def compiled(make, **arguments):
    keras.utils.set_random_seed(9)
    model = make()
    model.compile(keras.optimizers.Adam(0.1), **arguments)
    return model


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("name", NEEDS)
def test_the_advice_of_the_error_helps(name, eager):
    make, data, mend = NEEDS[name]
    failed, fresh = compiled(make, run_eagerly=eager), compiled(make, run_eagerly=eager)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"must be (given|there)"):
            failed.fit(data(), verbose=0)
    mend(failed)
    mend(fresh)
    keras.utils.set_random_seed(9)
    got = losses(failed, data())
    keras.utils.set_random_seed(9)
    np.testing.assert_allclose(got, losses(fresh, data()), rtol=1e-6)


@pytest.mark.parametrize("name", READY)
def test_other_data_helps(name):
    make, data, column = READY[name]
    failed, fresh = compiled(make), compiled(make)
    lacking = data().map(lambda row: {k: v for k, v in row.items() if k != column})
    with pytest.raises((KeyError, ValueError)):
        failed.fit(lacking, verbose=0)
    np.testing.assert_allclose(losses(failed, data()), losses(fresh, data()), rtol=1e-6)


class Lazy(recs.Model):
    """Its layers are made and built by the first call."""

    def __init__(self):
        super().__init__()
        self.fails = None
        self.tower = keras.Sequential([keras.layers.Dense(3), keras.layers.BatchNormalization()])
        self.late = None

    def compute_loss(self, inputs, training=False):
        y = self.tower(inputs["x"])
        if self.late is None:
            self.late = keras.layers.Dense(1)
        if self.fails == "between":
            raise ValueError("not yet")
        y = self.late(y)
        if self.fails == "end":
            raise ValueError("not yet")
        return keras.ops.sum((y - 1.0) ** 2)


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("fails", ["between", "end"])
@pytest.mark.parametrize("step", ["fit", "evaluate", "train_on_batch"])
def test_layers_of_a_failed_first_pass_have_their_values(step, fails, eager):
    rows = {"x": np.random.default_rng(0).normal(size=(4, 2)).astype("float32")}
    data = tf.data.Dataset.from_tensors(rows)
    models = [compiled(Lazy, run_eagerly=eager) for _ in range(2)]
    for model, cause in zip(models, (fails, None), strict=True):
        keras.utils.set_random_seed(3)
        if cause:
            model.fails = cause
            with pytest.raises(ValueError, match="not yet"):
                model.train_on_batch(rows) if step == "train_on_batch" else getattr(model, step)(
                    data, verbose=0
                )
            model.fails = None
        np.testing.assert_array_equal(len(losses(model, data)), 2)
    np.testing.assert_allclose(*(m.tower(rows["x"]) for m in models), rtol=1e-5)


def test_a_call_model_of_a_failed_first_pass_has_its_values():
    class Called(recs.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.fails = keras.layers.Dense(1), True

        def call(self, x):
            y = self.dense(x)
            if self.fails:
                raise ValueError("not yet")
            return y

    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    model = compiled(Called, loss="mse")
    for run in (lambda: model.fit(x, y, verbose=0), lambda: model.predict(x, verbose=0)):
        model.fails = True
        with pytest.raises(ValueError, match="not yet"):
            run()
        model.fails = False
        run()
