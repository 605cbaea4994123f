"""Tasks, loss layers, indexes and corpus metrics."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from recs.layers import FrequencyEstimate
from recs.layers.factorized_top_k import IVF, BruteForce, Streaming, TopK
from recs.layers.loss import (
    HardNegativeMining,
    NegativesSchedule,
    RemoveAccidentalHits,
    SamplingProbabilityCorrection,
    Temperature,
)
from recs.layers.negatives import InBatch, Memory, Negatives, Popular, Uniform
from recs.losses import BPR, CosineContrastive, Hinge, InBatchSoftmax, RetrievalLoss, SampledSoftmax
from recs.metrics import (
    Factorized,
    FactorizedTopK,
    MAPAtK,
    MRRAtK,
    NDCGAtK,
    RecallAtK,
    TopKIds,
)
from recs.tasks import Ranking, Retrieval, Task
from tests.harness.case import Case

_RNG = np.random.default_rng(11)


def _normal(*shape: int) -> np.ndarray:
    return _RNG.normal(size=shape).astype("float32")


QUERIES, CANDIDATES, CORPUS = _normal(6, 4), _normal(6, 4), _normal(20, 4)
LOGITS = _normal(6, 6)
IDS = np.array([1, 2, 1, 3, 4, 2])
NAMES = np.array([f"item {i}" for i in range(20)])
LABELS = _RNG.integers(0, 2, (6, 1)).astype("float32")
LISTS = _normal(4, 3, 1)


def _rows() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((NAMES, CORPUS)).batch(8)


# A positive, negatives, a score that is left out, and a row without a positive.
PICKED = np.array([[0, 1, 0, -1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 2, 1]], "float32")
SCORES = _normal(4, 4)

WANTED = _RNG.integers(-1, 9, (8, 3))
RETRIEVED = np.stack([_RNG.permutation(9)[:5] for _ in range(8)])

CASES = {
    **{
        loss: [
            Case(make=make, inputs=(PICKED, SCORES), label=label, extreme=(PICKED, SCORES * 1e30))
            for label, make in {
                "default": loss,
                "sharp": lambda loss=loss: loss(temperature=0.5, reduction="sum"),
                "learned": lambda loss=loss: loss(temperature=Temperature(0.5)),
            }.items()
        ]
        for loss in (BPR, CosineContrastive, Hinge, InBatchSoftmax, SampledSoftmax)
    },
    **{
        metric: [Case(make=lambda metric=metric: metric(k=3), inputs=(WANTED, RETRIEVED))]
        for metric in (MAPAtK, MRRAtK, NDCGAtK, RecallAtK)
    },
    FrequencyEstimate: [
        Case(make=FrequencyEstimate, inputs=(IDS,)),
        Case(make=lambda: FrequencyEstimate(0.5), inputs=(NAMES[:6],), label="strings"),
    ],
    Temperature: [Case(make=lambda: Temperature(0.5), inputs=(LOGITS,), extreme=(LOGITS * 1e30,))],
    NegativesSchedule: [
        Case(
            make=lambda: NegativesSchedule(keras.optimizers.schedules.CosineDecay(100.0, 10)),
            inputs=(IDS,),
        )
    ],
    Retrieval: [
        Case(
            make=lambda options=options: Retrieval(**options()),
            inputs=(QUERIES, CANDIDATES),
            label=label,
            extreme=(QUERIES * 1e6, CANDIDATES * 1e6),
            # Keras's own mean over no rows is NaN.
            empty=label != "own-loss",
        )
        for label, options in {
            "default": dict,
            "sharp-hard": lambda: {"temperature": 0.5, "num_hard_negatives": 2},
            "bpr": lambda: {"loss": BPR(temperature=Temperature(0.5)), "normalize": True},
            "mixed": lambda: {
                "negatives": [InBatch(), Memory(8, dim=4)],
                "temperature": Temperature(0.3),
            },
            "own-loss": lambda: {"loss": keras.losses.CategoricalCrossentropy(from_logits=True)},
        }.items()
    ],
    Ranking: [
        Case(
            make=lambda: Ranking(loss_metrics=keras.metrics.Mean(name="mean")),
            inputs=(LABELS, 1 / (1 + np.exp(-_normal(6, 1)))),
            extreme=(LABELS, 1 - LABELS),
        ),
    ],
    HardNegativeMining: [
        Case(
            make=lambda: HardNegativeMining(2),
            inputs=(LOGITS, np.eye(6, dtype="float32")),
            extreme=(LOGITS * 1e37, np.eye(6, dtype="float32")),
        )
    ],
    RemoveAccidentalHits: [
        Case(
            make=RemoveAccidentalHits,
            inputs=(np.eye(6, dtype="float32"), LOGITS, IDS),
            extreme=(np.eye(6, dtype="float32"), LOGITS * 1e37, IDS),
            # The third input counts candidates, not queries: no queries are tested beside it.
            empty=False,
        )
    ],
    SamplingProbabilityCorrection: [
        Case(
            make=SamplingProbabilityCorrection,
            inputs=(LOGITS, np.linspace(0, 1, 36, dtype="float32").reshape(6, 6)),
            extreme=(LOGITS * 1e37, np.zeros((6, 6), "float32")),
        )
    ],
    BruteForce: [
        Case(
            make=lambda: BruteForce(k=3).index_from_dataset(_rows()),
            inputs=(QUERIES,),
            extreme=(QUERIES * 1e30,),
        ),
    ],
    IVF: [
        Case(
            make=lambda: IVF(k=3, lists=2, probes=2).index_from_dataset(_rows()),
            inputs=(QUERIES,),
            extreme=(QUERIES * 1e30,),
        ),
    ],
    Streaming: [
        Case(
            make=lambda: Streaming(k=3).index_from_dataset(_rows()),
            inputs=(QUERIES,),
            saved=False,
        ),
    ],
    FactorizedTopK: [
        Case(make=lambda: FactorizedTopK(BruteForce(k=3), ks=(1, 3)), inputs=(QUERIES, QUERIES)),
    ],
}

EXCUSED = {
    Factorized: "abstract",
    InBatch: "has no call of its own",
    Memory: "has no call of its own",
    Negatives: "abstract",
    Popular: "has no call of its own",
    RetrievalLoss: "abstract",
    Task: "has no call of its own",
    TopK: "abstract",
    TopKIds: "abstract",
    Uniform: "has no call of its own",
}
