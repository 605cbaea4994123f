"""What is built in the first step is built as inference, and before callbacks need it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers import DynamicEmbedding
from recs.models.base import Model


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
