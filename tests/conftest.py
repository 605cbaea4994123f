"""Set-up shared by every test."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _from_the_same_start():
    """Gives each test the same seeds and leaves no policy behind."""
    policy = keras.config.dtype_policy()
    keras.utils.set_random_seed(20)
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
