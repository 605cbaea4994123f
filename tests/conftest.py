"""Set-up shared by every test."""

from __future__ import annotations

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf

# One thread per worker: pytest-xdist has a worker per core. Processes that a test starts have
# TensorFlow's default; the tests of determinism set the number of their threads themselves.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
# Rewriting graphs is a third of what tracing a small model costs. CI runs every test with it too.
if not os.environ.get("RECS_TESTS_OPTIMIZE_GRAPHS"):
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(autouse=True)
def _same_seeds_and_policy():
    """Gives each test the same seeds and restores the dtype policy."""
    policy = keras.config.dtype_policy()
    keras.utils.set_random_seed(20)
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture(autouse=True, scope="module")
def _short_garbage_collections():
    """Takes what TensorFlow keeps of traced functions out of later garbage collections.

    Graphs of functions outlive their models. Without this, a collection late in a run visits
    millions of objects and takes seconds.
    """
    yield
    keras.backend.clear_session()
    gc.collect()
    gc.freeze()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
