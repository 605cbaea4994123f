"""The TFRS half of the tests of feature interaction; runs as `tfrs_side.py` does."""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
from tfrs_side import main

LAYERS = {
    "MLP": tfrs.layers.blocks.MLP,
    "Cross": tfrs.layers.dcn.Cross,
    "MultiLayerDCN": tfrs.layers.feature_interaction.MultiLayerDCN,
    "DotInteraction": tfrs.layers.feature_interaction.DotInteraction,
}


def layer(options, arrays):
    made = LAYERS[options["layer"]](**options["arguments"])
    inputs = [tf.constant(arrays[f"x{i}"]) for i in range(options["inputs"])]
    call = (lambda: made(inputs)) if options["as_list"] else (lambda: made(*inputs))
    call()
    rng = np.random.default_rng(options["seed"])
    made.set_weights([rng.normal(size=w.shape).astype("float32") for w in made.get_weights()])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = call()
        total = tf.reduce_sum(outputs * tf.constant(arrays["dy"])) + sum(made.losses)
    gradients = tape.gradient(total, [*inputs, *made.trainable_weights])
    out = {f"g{i}": tf.convert_to_tensor(g) for i, g in enumerate(gradients)}
    out |= {f"w{i}": w for i, w in enumerate(made.get_weights())}
    return {"y": outputs, "total": total, **out}


if __name__ == "__main__":
    main(globals(), *sys.argv[1:])
