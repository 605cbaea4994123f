"""Ranking losses."""

from __future__ import annotations

import keras
import numpy as np

from recs import losses
from tests.harness.case import Case

_RNG = np.random.default_rng(21)
LABELS = _RNG.integers(-1, 4, (6, 7)).astype("float32")
# Among them a list without items, one without relevant items, and one of a single item.
LABELS[0], LABELS[1], LABELS[2, 1:] = -1, 0, -1
SCORES = _RNG.normal(size=(6, 7)).astype("float32")
HUGE = SCORES * 1e30
CLICKS = np.minimum(LABELS, 1)


def _of(outputs: int) -> np.ndarray:
    return _RNG.normal(size=(6, 7, outputs)).astype("float32")


def _case(make, scores=SCORES, label="", labels=LABELS, extreme=HUGE):
    return Case(make=make, inputs=(labels, scores), label=label, extreme=(labels, extreme))


# Scores so far apart that noise changes neither the order nor the loss: the checks compare calls.
_APART = np.tile(np.arange(7, dtype="float32") * 90.0, (6, 1))

PLAIN = [
    losses.PairwiseHingeLoss,
    losses.PairwiseLogisticLoss,
    losses.PairwiseMSELoss,
    losses.PairwiseSoftZeroOneLoss,
    losses.ApproxMRRLoss,
    losses.ApproxNDCGLoss,
    losses.ListMLELoss,
    losses.MeanSquaredLoss,
    losses.SigmoidCrossEntropyLoss,
    losses.SoftmaxLoss,
    losses.UniqueSoftmaxLoss,
]
# Squares of these must still be finite.
LARGE = SCORES * 1e15

CASES = {
    of_class: [
        _case(of_class, extreme=LARGE if "MSE" in of_class.__name__ else HUGE),
        _case(
            lambda of_class=of_class: of_class(tfr_compatible=True, reduction="sum"),
            label="tfr",
            extreme=LARGE,
        ),
    ]
    for of_class in PLAIN
}
CASES[losses.MeanSquaredLoss] = [_case(losses.MeanSquaredLoss, extreme=LARGE)]
CASES[losses.PairwiseLogisticLoss] += [
    _case(
        lambda: losses.PairwiseLogisticLoss(lambda_weight=losses.NDCGLambdaWeight(topn=3)),
        label="ndcg",
    ),
    _case(
        lambda: losses.PairwiseLogisticLoss(
            lambda_weight=losses.DCGLambdaWeightV2(topn=2), temperature=0.5
        ),
        label="v2",
    ),
]
CASES[losses.ListMLELoss].append(
    _case(
        lambda: losses.ListMLELoss(lambda_weight=losses.PListMLELambdaWeight(7)), label="p-list-mle"
    )
)
CASES |= {
    losses.CalibratedSoftmaxLoss: [
        _case(lambda: losses.CalibratedSoftmaxLoss(virtual_label=0.2)),
    ],
    losses.ClickEMLoss: [
        _case(losses.ClickEMLoss, _of(2), labels=CLICKS, extreme=_of(2) * 1e30),
    ],
    losses.MixtureEMLoss: [
        _case(losses.MixtureEMLoss, _of(3), labels=CLICKS, extreme=_of(3) * 1e30),
    ],
    losses.OrdinalLoss: [
        _case(lambda: losses.OrdinalLoss(ordinal_size=3), _of(3), extreme=_of(3) * 1e30),
    ],
    losses.YetiLogisticLoss: [
        _case(
            lambda: losses.YetiLogisticLoss(seed=1), _APART * 1e5, labels=np.abs(LABELS[:, ::-1])
        ),
    ],
    losses.GumbelApproxNDCGLoss: [
        _case(lambda: losses.GumbelApproxNDCGLoss(seed=1), _APART),
    ],
    losses.CoupledRankDistilLoss: [
        _case(
            lambda: losses.CoupledRankDistilLoss(seed=1, topk=5),
            labels=np.where(LABELS < 0, -1, _APART).astype("float32"),
            extreme=LARGE,
        ),
    ],
}
assert all(issubclass(of_class, keras.losses.Loss) for of_class in CASES)
