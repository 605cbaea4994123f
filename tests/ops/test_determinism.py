"""The same bits for any number of threads: one process for each."""

from __future__ import annotations

import pytest

from tests.harness.new_process import run_code

PROGRAM = """
import sys
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
import hashlib
import numpy as np
from recs.ops.reference import Batch
from recs.ops.row_initializer import RowInitializer, TRUNCATED_NORMAL
from tests.ops.compiled import CompiledTable

kind = sys.argv[2]
rng = np.random.default_rng(1)
table = CompiledTable(16, kind, RowInitializer(TRUNCATED_NORMAL, 0.0, 0.1), 7, 0.0,
                      sys.argv[3])
table.time = 1_700_000_000  # it is saved with the rows
for step in range(4):
    looked_up = []
    for combiner in ("none", "mean", "sqrtn"):
        ids = rng.zipf(1.2, 30000) % 20000  # some ids very often: long sums
        keys = ids.tolist() if kind == "int64" else [b"%d" % i for i in ids]
        weights = rng.standard_normal(30000).astype(np.float32)
        splits = np.arange(0, 30001, 5)
        batch = Batch(keys) if combiner == "none" else Batch(keys, None, splits, weights, combiner)
        looked_up.append(table.find_or_insert(batch, time=1 + step))
    digest = hashlib.sha256()
    for one in looked_up:
        _, d_weights = table.add_gradient(one, rng.standard_normal(one.output.shape, np.float32))
        digest.update(one.output.tobytes() + one.inverse.tobytes() + d_weights.tobytes())
    table.commit("adam", (0.9, 0.999, 0.1, 0.001, 1e-7), learning_rate=0.1, step=step,
                 clipnorm=10.0)
    print(digest.hexdigest())
# Slots, steps and the order of records too.
print(hashlib.sha256(b"".join(table.serialize())).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "storage"),
    [("int64", "float32"), ("string", "float32"), ("int64", "bfloat16"), ("string", "float16")],
)
def test_any_number_of_threads_gives_the_same_bits(kind, storage):
    outputs = [run_code(PROGRAM, threads, kind, storage) for threads in (1, 2, 3)]
    assert len(outputs[0].split()) == 5
    assert outputs[1] == outputs[0]
    assert outputs[2] == outputs[0]
