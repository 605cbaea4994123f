"""Set-up shared by every test."""

from __future__ import annotations

import gc
import os
import random
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.harness import covering

# One thread per worker: pytest-xdist has a worker per core. Processes that a test starts have
# TensorFlow's default; the tests of determinism set the number of their threads themselves.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
# Rewriting graphs is a third of what tracing a small model costs. CI runs every test with it too.
if not os.environ.get("RECS_TESTS_OPTIMIZE_GRAPHS"):
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(autouse=True)
def _same_seeds_and_policy():
    """Gives each test the same seeds and restores the dtype policy.

    TensorFlow's seed is that of the file: to set it empties the caches of its eager kernels, which
    takes a fourth of the time of tests that run eagerly. Keras draws its seeds from Python's.
    """
    policy = keras.config.dtype_policy()
    random.seed(20)
    np.random.seed(20)
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture(autouse=True, scope="module")
def _same_seed_of_tensorflow():
    keras.utils.set_random_seed(20)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves to the slow tier the combinations of parameters that the default run leaves out."""
    for item in covering.of_slow_tier(items):
        item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Takes modules and tests, which stay to the end, out of garbage collections."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _graphs_end_with_their_file():
    """Frees the graphs of a file's tests.

    TensorFlow registers the gradient of each `tf.custom_gradient` that is traced, which every step
    of a Keras optimizer does, and the registry holds the whole graph. Without this a worker grows
    by a megabyte per test, and garbage collections visit millions of objects.
    """
    gradients = sys.modules[tf.RegisterGradient.__module__].gradient_registry._registry
    before = set(gradients)
    yield
    for name in set(gradients) - before:
        del gradients[name]
    keras.backend.clear_session()  # which collects garbage


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
