"""The pieces of the training step; the step as a whole is in tests/models/test_base.py."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.models.base import Model
from recs.training import tf_step

X, Y, W = np.ones(1), np.zeros(1), np.full(1, 2.0)


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (X, X),
        ({"a": X}, {"a": X}),
        ((X, None, None), X),
        ((X, Y, None), (X, Y)),
        ((X, Y, W), (X, Y, W)),
        ((X, None, W), (X, None, W)),
        ((X,), (X,)),
        ([X, None], [X, None]),
        ((), ()),
    ],
)
def test_unpacked(data, want):
    got = tf_step.unpacked(data)
    assert type(got) is type(want)
    assert keras.tree.flatten(got) == keras.tree.flatten(want)


def test_has_own_loss():
    class Tfrs(Model):
        def compute_loss(self, inputs, training=False):
            return 0.0

    class Keras(Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 0.0

    class Neither(Model):
        pass

    class Below(Tfrs):
        pass

    own = {c.__name__: tf_step.has_own_loss(c, Model) for c in (Tfrs, Keras, Neither, Below)}
    assert own == {"Tfrs": True, "Keras": False, "Neither": False, "Below": True}
