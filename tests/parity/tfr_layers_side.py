"""TF-Ranking's layers; runs alone, under TF_USE_LEGACY_KERAS=1, without recs."""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf
from tfr_imported import import_tfr

layers = import_tfr(sys.argv[1]).keras.layers


def main(given, answer):
    with np.load(given) as loaded:
        x = {name: loaded[name] for name in loaded.files}
    features = ({"b": x["context"], "a": x["context"][:, :1]}, {"y": x["items"]}, x["mask"])
    out = {}
    for circular in (True, False):
        context, examples = layers.FlattenList(circular_padding=circular)(features)
        out |= {f"flat_b_{circular}": context["b"], f"flat_y_{circular}": examples["y"]}
        out[f"concat_{circular}"] = layers.ConcatFeatures(circular_padding=circular)(features)
    for scatter in (True, False):
        restore = layers.RestoreList(by_scatter=scatter)
        out[f"restore_{scatter}"] = restore((x["flat_scores"], x["mask"]))
    made = {
        "attention": (
            layers.DocumentInteractionAttention(2, 6, num_layers=2),
            (tf.constant(x["items"]), tf.constant(x["mask"])),
        ),
        "gam": (
            layers.GAMLayer(2, [4], 1, [3], activation="relu"),
            ([tf.constant(x["items"][:, 0]), tf.constant(x["items"][:, 1])], [x["context"]]),
        ),
        "bilinear": (
            layers.Bilinear(3, 2),
            (tf.constant(x["items"][:, 0]), tf.constant(x["items"][:, 1])),
        ),
        "tower": (
            layers.create_tower([5, 4], 2, "relu", input_batch_norm=True),
            tf.constant(x["items"]),
        ),
    }
    for name, (layer, inputs) in made.items():
        kwargs = {} if name == "bilinear" else {"training": False}
        layer(inputs, **kwargs)
        rng = np.random.default_rng(1)
        layer.set_weights([rng.random(w.shape) for w in layer.get_weights()])
        flat = tf.nest.flatten(layer(inputs, **kwargs))
        out |= {f"{name}_{i}": part for i, part in enumerate(flat)}
        out |= {f"{name}_w_{i:03}": w for i, w in enumerate(layer.get_weights())}
    np.savez(answer, **{key: np.asarray(value) for key, value in out.items()})


if __name__ == "__main__":
    main(*sys.argv[2:])
