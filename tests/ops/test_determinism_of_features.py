"""The same bits for any number of threads, with many tables of very different sizes."""

from __future__ import annotations

import pytest

from tests.harness.new_process import run_code

PROGRAM = """
import sys
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
import hashlib
import keras
import numpy as np
from recs.layers import EmbeddingCollection, FeatureConfig, TableConfig

optimizers = [keras.optimizers.Adam(0.01), keras.optimizers.Adagrad(0.1, clipnorm=5.0), None]
tables, features, shapes = [], [], {}
# From one row a batch to tens of thousands; every third table has two features.
for t, ids in enumerate((40000, 1, 30, 9000, 4, 300, 20000, 2, 1, 60, 1000, 5)):
    tables.append(TableConfig(
        f"t{t}", (1, 16, 7)[t % 3], key_dtype="string" if t % 4 == 3 else "int64", seed=t,
        optimizer=optimizers[t % 3], regularizer="l2" if t == 6 else None,
        storage_dtype="bfloat16" if t == 5 else "float32",
    ))
    for f in range(2 if t % 3 == 0 else 1):
        combiner = (None, "mean", "sqrtn", "sum")[(t + f) % 4]
        features.append(FeatureConfig(f"t{t}f{f}", tables[t], combiner=combiner, mask_key=None
                                      if t % 4 == 3 else 5))
        shapes[f"t{t}f{f}"] = (ids, t % 4 == 3)
layer = EmbeddingCollection(features)
optimizer = keras.optimizers.SGD()
rng = np.random.default_rng(1)
for step in range(4):
    x, w = {}, {}
    for feature in features:
        ids, text = shapes[feature.name]
        keys = tf.constant(rng.zipf(1.2, (1 + ids // 4, 4)) % (ids + 2))
        x[feature.name] = tf.strings.as_string(keys) if text else keys
        if feature.combiner is not None:
            w[feature.name] = tf.constant(rng.standard_normal(keys.shape, np.float32))
    with tf.GradientTape() as tape:
        tape.watch(w)
        found = layer(x, w, training=True)
        loss = sum(tf.reduce_sum(v ** 2) for v in found.values()) + sum(layer.losses)
    (gradient,), d_weights = tape.gradient(loss, ([layer._anchor.value], w))
    optimizer.apply([gradient], [layer._anchor])
    digest = hashlib.sha256()
    for tensor in (*found.values(), *d_weights.values(), *layer(x, w).values()):
        digest.update(tensor.numpy().tobytes())
    print(digest.hexdigest())
for table in layer.tables:
    # All but the times of last use, which are the clock's.
    keys, rows = table.export()
    digest = hashlib.sha256(rows.tobytes())
    digest.update(b"|".join(keys.tolist()) if keys.dtype == object else keys.tobytes())
    print(digest.hexdigest(), table.stats()["step"], table.stats()["refused_updates"])
"""


@pytest.mark.slow
def test_any_number_of_threads_gives_the_same_bits():
    outputs = [run_code(PROGRAM, threads).splitlines() for threads in (1, 2, 3)]
    assert len(outputs[0]) == 4 + 12
    assert all(line.endswith(" 4 0") for line in outputs[0][4:])
    assert outputs[1] == outputs[0]
    assert outputs[2] == outputs[0]
