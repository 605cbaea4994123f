import keras
import numpy as np
import tensorflow as tf

import recs
from recs.models import RatingModel, TwoTower


class Stacked(recs.Model):
    def __init__(self):
        super().__init__()
        self.dense = [keras.layers.Dense(2), keras.layers.Dense(3)]
        self.heads = {"a b": [keras.layers.Dense(1)], "c": (keras.layers.Dense(1),)}

    def call(self, inputs):
        x = inputs
        for layer in self.dense:
            x = layer(x)
        return [self.heads["a b"][0](x), self.heads["c"][0](x)]


def saved_and_restored(make, ask, folder):
    """Returns the weights of a model, and those of another that had its checkpoint."""
    first, second = make(), make()
    ask(first)
    ask(second)
    path = tf.train.Checkpoint(model=first).save(folder / "c")
    tf.train.Checkpoint(model=second).restore(path)
    return [model.get_weights() for model in (first, second)], (first, second)


def test_layers_of_lists_and_dicts_are_in_checkpoints(tmp_path):
    (want, got), _ = saved_and_restored(Stacked, lambda m: m(np.ones((1, 4))), tmp_path)
    assert len(want) == 8
    for a, b in zip(want, got, strict=True):
        np.testing.assert_array_equal(a, b)


def test_towers_are_in_checkpoints_before_the_first_step(tmp_path):
    batch = {"user_id": tf.constant(["u", "v"]), "item_id": tf.constant(["a", "b"])}
    makes = (
        lambda: RatingModel(user="user_id", item="item_id", embedding_dim=2),
        lambda: TwoTower(embedding_dim=2, units=[3, 2]),
    )
    for number, make in enumerate(makes):
        folder = tmp_path / str(number)
        folder.mkdir()
        _, (first, second) = saved_and_restored(make, lambda m: m(batch), folder)
        for a, b in zip(tf.nest.flatten(first(batch)), tf.nest.flatten(second(batch)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_shorter_list_leaves_nothing_of_the_longer_one():
    model = Stacked()
    model.dense = model.dense[:1]
    assert not hasattr(model, "dense_part_1")
    assert model.dense_part_0 is model.dense[0]
