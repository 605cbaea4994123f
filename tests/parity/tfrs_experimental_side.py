"""The TFRS half of the tests of what is experimental; runs as `tfrs_side.py` does."""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
from tfrs_side import main


def clippy(options, arrays):
    arguments = dict(options["arguments"])
    if options["schedule"]:
        arguments["learning_rate"] = tf.keras.optimizers.schedules.ExponentialDecay(0.5, 5, 0.5)
    optimizer = tfrs.experimental.optimizers.ClippyAdagrad(**arguments)
    weights = [tf.Variable(arrays["dense"]), tf.Variable(arrays["rows"])]
    steps, factors = [], []
    for step in range(len(arrays["g"])):
        rows = tf.IndexedSlices(
            tf.constant(arrays["values"][step]), tf.constant(arrays["ids"][step]), weights[1].shape
        )
        gradients = [tf.constant(arrays["g"][step]), rows]
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
        steps.append(np.concatenate([w.numpy().ravel() for w in weights]))
        factors.append([float(f) for f in optimizer.clipping_factors])
    return {"steps": np.stack(steps), "factors": np.array(factors)}


def composite(options, arrays):
    made = {
        "SGD": lambda: tf.keras.optimizers.legacy.SGD(0.1, momentum=0.9),
        "Adam": lambda: tf.keras.optimizers.legacy.Adam(0.05),
        "Adagrad": lambda: tf.keras.optimizers.legacy.Adagrad(0.1),
    }
    weights = [tf.Variable(arrays[f"w{i}"]) for i in range(3)]
    optimizer = tfrs.experimental.optimizers.CompositeOptimizer(
        [
            (made[name](), lambda places=places: [weights[i] for i in places])
            for name, places in options["parts"]
        ]
    )
    for step in range(20):
        gradients = [tf.constant(arrays[f"g{i}"][step]) for i in range(3)]
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
    return {**{f"w{i}": w for i, w in enumerate(weights)}, "iterations": optimizer.iterations}


class Embeddings(tf.keras.layers.Layer):
    def __init__(self, names, size, width, keep_axis):
        super().__init__()
        self.of = {n: tf.keras.layers.Embedding(size, width) for n in names}
        self.keep_axis = keep_axis

    def call(self, features):
        ids = {n: x[:, None] if self.keep_axis else x for n, x in features.items()}
        return {n: self.of[n](x) for n, x in ids.items()}


def ranking_model(options, arrays):
    names = options["names"]
    embeddings = Embeddings(names, 10, options["width"], options["keep_axis"])
    mlp, cross = tfrs.layers.blocks.MLP, tfrs.layers.feature_interaction.Cross
    arguments = {"embedding_layer": embeddings, "concat_dense": options["concat_dense"]}
    if options["kind"] == "dcn":
        arguments["bottom_stack"] = mlp([4, 6], final_activation="relu")
        arguments["feature_interaction"] = tf.keras.Sequential(
            [tf.keras.layers.Concatenate(), cross()]
        )
    if options["kind"] == "rating":
        loss = tf.keras.losses.MeanSquaredError()
        rmse = tf.keras.metrics.RootMeanSquaredError(name="rmse")
        arguments["task"] = tfrs.tasks.Ranking(loss=loss, metrics=[rmse])
        arguments["top_stack"] = mlp([5, 1])
    model = tfrs.experimental.models.Ranking(**arguments)
    x = {"dense_features": tf.constant(arrays["dense"])}
    x["sparse_features"] = {n: tf.constant(arrays[n]) for n in names}
    model(x)
    rng = np.random.default_rng(7)
    parts = [*(embeddings.of[n] for n in names), model._bottom_stack, model._feature_interaction]
    out = {}
    for p, part in enumerate([*parts, model._top_stack]):
        shapes = [w.shape for w in part.get_weights()]
        drawn = [(rng.normal(size=s) / s[0] ** 0.5).astype("float32") for s in shapes]
        part.set_weights(drawn)
        out |= {f"w{p}_{i}": w for i, w in enumerate(drawn)}
    model.compile(optimizer=tf.keras.optimizers.SGD(0.1))
    out["prediction"] = model(x)
    for step in range(5):
        model.reset_metrics()
        logs = model.train_step((x, tf.constant(arrays["labels"])))
        out[f"loss{step}"] = logs["total_loss"]
    out |= {f"log_{k}": v for k, v in logs.items() if "loss" not in k}
    for p, part in enumerate([*parts, model._top_stack]):
        out |= {f"v{p}_{i}": w for i, w in enumerate(part.get_weights())}
    out["dense_variables"] = np.array(len(model.dense_trainable_variables))
    out["embedding_variables"] = np.array(len(model.embedding_trainable_variables))
    return out


if __name__ == "__main__":
    main(globals(), *sys.argv[1:])
