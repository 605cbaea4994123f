"""The base of tasks, on one of a user's own."""

from __future__ import annotations

import keras
import numpy as np

from recs.tasks import Ranking, Retrieval, Task


class Scaled(Task):
    def call(self, x, factor=1.0):
        return keras.ops.sum(x) * factor


def test_own_tasks():
    task = Scaled(name="scaled")
    assert isinstance(task, keras.layers.Layer)
    assert float(task(np.ones(3, "float32"), 2.0)) == 6.0
    assert Scaled.from_config(task.get_config()).name == "scaled"
    assert issubclass(Ranking, Task)
    assert issubclass(Retrieval, Task)
