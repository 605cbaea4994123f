"""Several tasks on one input."""

from __future__ import annotations

import keras
import numpy as np

from recs.layers import multi_task
from recs.tasks import MultiTask, Ranking
from tests.harness.case import Case

_RNG = np.random.default_rng(29)
TASKS = ["click", "buy"]
X = _RNG.normal(size=(6, 5)).astype("float32")
LOGITS = {t: _RNG.normal(size=(6, 1)).astype("float32") for t in TASKS}
LABELS = {"click": np.ones((6, 1), "float32"), "buy": np.array([[0], [1], [np.nan]] * 2, "float32")}
HUGE = X * 1e15


def _seeded(make):
    """Returns a maker of layers with weights that do not differ from one to the next."""

    def made():
        keras.utils.set_random_seed(3)
        return make()

    return made


def _case(make, **kwargs):
    return [Case(make=_seeded(make), inputs=(X,), tolerance=0.05, **kwargs)]


CASES = {
    multi_task.Experts: [
        *_case(lambda: multi_task.Experts(2, units=(4, 3)), extreme=(HUGE,)),
        *_case(
            lambda: multi_task.Experts([keras.layers.Dense(3), keras.layers.Dense(3, "tanh")]),
            label="layers",
        ),
    ],
    multi_task.SharedBottom: _case(lambda: multi_task.SharedBottom(TASKS, (4,)), extreme=(HUGE,)),
    multi_task.MMoE: _case(lambda: multi_task.MMoE(TASKS, 3, (4,), seed=1), extreme=(HUGE,)),
    multi_task.CGC: _case(lambda: multi_task.CGC(TASKS, units=(4,)), extreme=(HUGE,)),
    multi_task.PLE: _case(lambda: multi_task.PLE(TASKS, units=(4,)), extreme=(HUGE,)),
    multi_task.TaskTowers: _case(lambda: multi_task.TaskTowers(TASKS, (4, 1)), extreme=(HUGE,)),
    multi_task.PCGrad: _case(lambda: multi_task.PCGrad(TASKS, seed=1), extreme=(HUGE,)),
    multi_task.GradNorm: _case(lambda: multi_task.GradNorm(TASKS), extreme=(HUGE,)),
    multi_task.EntireSpace: [
        Case(
            make=lambda: multi_task.EntireSpace("click", "buy", "both"),
            inputs=(LOGITS,),
            extreme=({t: x * 1e30 for t, x in LOGITS.items()},),
        )
    ],
    multi_task.UncertaintyWeights: [
        Case(
            make=lambda: multi_task.UncertaintyWeights(TASKS),
            inputs=(np.array([1.0, 2.0], "float32"),),
            empty=False,
        )
    ],
    MultiTask: [
        Case(
            make=lambda: MultiTask(
                {
                    "click": keras.losses.BinaryCrossentropy(from_logits=True),
                    "buy": Ranking(
                        keras.losses.BinaryCrossentropy(from_logits=True),
                        loss_metrics=keras.metrics.Mean(name="mean"),
                    ),
                },
                {"buy": 0.5},
            ),
            inputs=(LABELS, LOGITS),
            extreme=(LABELS, {t: x * 1e30 for t, x in LOGITS.items()}),
        )
    ],
}
