"""Layers in which features meet, and the dense stack."""

from __future__ import annotations

import keras
import numpy as np

from recs.layers.blocks import MLP
from recs.layers.feature_interaction import Cross, DotInteraction, MultiLayerDCN
from tests.harness.case import Case

_RNG = np.random.default_rng(3)


def _normal(*shape: int) -> np.ndarray:
    return _RNG.normal(size=shape).astype("float32")


ROWS, OTHERS, LISTS = _normal(6, 4), _normal(6, 4), _normal(3, 5, 4)
# A tuple: a dataset makes one tensor of a list.
FEATURES = (ROWS, OTHERS, _normal(6, 4))
# Squares and cubes of these stay below the largest float32.
LARGE = ROWS * 1e6
START = {"kernel_initializer": keras.initializers.GlorotUniform(7)}


def _mlp() -> MLP:
    layer = MLP([5, 2], final_activation="sigmoid")
    layer.build((None, 4))
    rng = np.random.default_rng(8)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer


CASES = {
    MLP: [Case(make=_mlp, inputs=(ROWS,), extreme=(LARGE,))],
    Cross: [
        Case(
            make=lambda options=options: Cross(**START, **options),
            inputs=(ROWS, OTHERS),
            label=label,
            extreme=(LARGE, OTHERS * 1e6),
        )
        for label, options in {
            "full": {},
            "low-rank": {"projection_dim": 2, "diag_scale": 0.5, "preactivation": "tanh"},
            "regularized": {"kernel_regularizer": keras.regularizers.L2(0.1), "use_bias": False},
        }.items()
    ]
    + [Case(make=lambda: Cross(**START), inputs=(LISTS,), label="alone-rank-3")],
    MultiLayerDCN: [
        Case(
            make=lambda options=options: MultiLayerDCN(**START, **options),
            inputs=(ROWS,),
            label=label,
            extreme=(LARGE,),
        )
        for label, options in {
            "default": {},
            "two": {"projection_dim": 2, "num_layers": 2, "bias_initializer": "ones"},
        }.items()
    ],
    DotInteraction: [
        Case(
            make=lambda options=options: DotInteraction(**options),
            inputs=(FEATURES,),
            label=label,
            extreme=(tuple(one * 1e12 for one in FEATURES),),
        )
        for label, options in {
            "pairs": {},
            "with-itself": {"self_interaction": True},
            "matrix": {"skip_gather": True},
            "whole-triangle": {"self_interaction": True, "skip_gather": True},
        }.items()
    ],
}
