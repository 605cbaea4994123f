"""Initial rows of a layer: any Keras initializer, any order of batches, any process."""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers import DynamicEmbedding
from tests.harness.new_process import run_code

ROOT = pathlib.Path(__file__).parents[3]
IDS = np.arange(-300, 700)


@keras.saving.register_keras_serializable("tests")
class Fresh(keras.initializers.Initializer):
    """Draws differently each time it is called: nothing but saved rows can bring it back."""

    def __call__(self, shape, dtype=None):
        return np.random.default_rng().normal(size=shape).astype(dtype)


PROGRAM = """
import sys, keras, numpy as np
from recs.layers import DynamicEmbedding
name = sys.argv[1]
initializer = keras.initializers.Orthogonal(seed=1) if name == "orthogonal" else name
layer = DynamicEmbedding(5, embeddings_initializer=initializer, seed=3)
for ids in reversed(np.array_split(np.arange(-300, 700), 7)):
    layer(ids[::-1].copy(), training=True)
np.save(sys.argv[2], layer.table.lookup(np.arange(-300, 700)))
"""


@pytest.mark.parametrize("name", ["glorot_normal", "random_normal", "uniform", "orthogonal"])
def test_a_new_process_and_another_order_give_the_same_rows(name, tmp_path):
    initializer = keras.initializers.Orthogonal(seed=1) if name == "orthogonal" else name
    layer = DynamicEmbedding(5, embeddings_initializer=initializer, seed=3)
    here = layer(IDS, training=True).numpy()
    path = tmp_path / "rows.npy"
    run_code(PROGRAM, name, path)
    np.testing.assert_array_equal(np.load(path), here)


def test_a_row_of_an_orthogonal_matrix():
    layer = DynamicEmbedding(4, embeddings_initializer=keras.initializers.Orthogonal(seed=1))
    rows = layer(IDS, training=True).numpy()
    drawn = np.asarray(keras.initializers.Orthogonal(seed=1)((4096, 4)))
    assert {r.tobytes() for r in rows} <= {r.tobytes() for r in drawn}
    assert len(np.unique(rows, axis=0)) > 700


def model_of(initializer) -> keras.Model:
    ids = keras.Input((), dtype="int64")
    model = keras.Model(ids, DynamicEmbedding(3, embeddings_initializer=initializer)(ids))
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("way", ["keras", "weights", "checkpoint", "file"])
def test_new_ids_start_from_the_saved_block(way, tmp_path):
    model = model_of(Fresh())
    layer = model.layers[-1]
    layer(np.array([1]), training=True)
    if way == "keras":
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras")
    else:
        other = model_of(Fresh())
    table = other.layers[-1].table
    if way == "weights":
        model.save_weights(tmp_path / "m.weights.h5")
        other.load_weights(tmp_path / "m.weights.h5")
    if way == "checkpoint":
        path = tf.train.Checkpoint(model=model).write(str(tmp_path / "c"))
        tf.train.Checkpoint(model=other).read(path).assert_existing_objects_matched()
    if way == "file":
        layer.table.save(tmp_path / "t")
        table.restore(tmp_path / "t")
    expected = layer(IDS, training=True).numpy()
    np.testing.assert_array_equal(other.layers[-1](IDS, training=True).numpy(), expected)
    assert len(np.unique(expected, axis=0)) > 700
    unrestored = model_of(Fresh()).layers[-1](IDS, training=True).numpy()
    assert (unrestored != expected).any(axis=1).all()


def test_a_layer_made_while_a_function_is_traced():
    made = []

    @tf.function
    def look_up(ids):
        if not made:
            made.append(DynamicEmbedding(3, embeddings_initializer="orthogonal", seed=1))
        return made[0](ids, training=True)

    rows = look_up(tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal(made[0].table.lookup([1, 2]), rows)


def test_an_exported_model_takes_the_block_along(tmp_path):
    from recs.ops.table_resource import compiled_export

    class Trains(tf.Module):
        def __init__(self):
            self.layer = DynamicEmbedding(3, embeddings_initializer=Fresh())
            self.table = self.layer.table

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
        def look_up(self, ids):
            return self.layer(ids, training=True)

    module = Trains()
    module.look_up(tf.constant([1], tf.int64))
    with compiled_export():
        tf.saved_model.save(module, str(tmp_path / "m"))
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    ids = tf.constant(IDS, tf.int64)
    np.testing.assert_array_equal(loaded.look_up(ids), module.look_up(ids))
    graph = (tmp_path / "m" / "saved_model.pb").stat().st_size
    assert graph < 4096 * 3 * 4, "the drawn rows are in the graph"
