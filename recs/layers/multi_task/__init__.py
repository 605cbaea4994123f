"""Layers for several tasks on one input."""

from recs.layers.multi_task.cgc import CGC
from recs.layers.multi_task.entire_space import EntireSpace
from recs.layers.multi_task.experts import Experts
from recs.layers.multi_task.grad_norm import GradNorm
from recs.layers.multi_task.mmoe import MMoE
from recs.layers.multi_task.pc_grad import PCGrad
from recs.layers.multi_task.ple import PLE
from recs.layers.multi_task.shared_bottom import SharedBottom
from recs.layers.multi_task.task_towers import TaskTowers
from recs.layers.multi_task.uncertainty_weights import UncertaintyWeights

__all__ = [
    "CGC",
    "PLE",
    "EntireSpace",
    "Experts",
    "GradNorm",
    "MMoE",
    "PCGrad",
    "SharedBottom",
    "TaskTowers",
    "UncertaintyWeights",
]
