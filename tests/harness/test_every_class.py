"""Runs every check on every public layer, loss, metric and task."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.metrics import Factorized
from tests.harness import checks
from tests.harness.case import Case
from tests.harness.registry import CASES, EXCUSED, parameters, public_classes

LAYERS = [
    case
    for case in parameters(keras.layers.Layer)
    if not any(case.values[0] in CASES[thing] for thing in CASES if issubclass(thing, Factorized))
]
ALL = parameters(object)
REGRESSION = (np.ones((4, 1), "float32"), np.linspace(0, 2, 4, dtype="float32")[:, None])


def test_no_class_is_forgotten():
    public = public_classes()
    missing = {name for thing, name in public.items() if thing not in CASES | EXCUSED}
    assert not missing, f"add an entry in tests/harness/entries for {sorted(missing)}"
    gone = [thing for thing in (*CASES, *EXCUSED) if thing not in public]
    assert not gone, f"entries of classes that are not public: {gone}"


def test_excuses_are_for_classes_that_cannot_be_made():
    import inspect

    for thing, reason in EXCUSED.items():
        assert reason
        assert inspect.isabstract(thing) or "call" not in vars(thing), thing


@pytest.mark.parametrize("case", ALL)
def test_config(case):
    checks.check_config(case)


@pytest.mark.parametrize("case", LAYERS)
def test_eager_and_traced(case):
    checks.check_eager_and_traced(case)


@pytest.mark.parametrize("case", LAYERS)
def test_functional_and_saved(case, tmp_path):
    checks.check_functional_and_saved(case, tmp_path)


@pytest.mark.parametrize("case", LAYERS)
def test_checkpoint(case, tmp_path):
    checks.check_checkpoint(case, tmp_path)


@pytest.mark.parametrize("case", LAYERS)
def test_fit(case):
    checks.check_fit(case)


@pytest.mark.parametrize(
    ("case", "policy"),
    [pytest.param(p.values[0], h, id=f"{p.id}-{h}") for p in LAYERS for h in p.values[0].half],
)
def test_half_precision(case, policy):
    checks.check_half(case, policy)


@pytest.mark.parametrize("case", [p for p in LAYERS if p.values[0].empty])
def test_empty(case):
    checks.check_empty(case)


@pytest.mark.parametrize("case", [p for p in LAYERS if p.values[0].extreme is not None])
def test_extreme(case):
    checks.check_extreme(case)


@pytest.mark.parametrize("case", [p for p in LAYERS if p.values[0].padded is not None])
def test_masks(case):
    checks.check_mask(case)


# Beside our own, Keras's: the checks are known to work before the first class needs them.
LOSSES = [*parameters(keras.losses.Loss), Case(keras.losses.MeanSquaredError, REGRESSION)]
METRICS = [*parameters(keras.metrics.Metric), Case(keras.metrics.MeanSquaredError, REGRESSION)]


@pytest.mark.parametrize("case", LOSSES)
def test_loss(case):
    checks.check_loss(case)


@pytest.mark.parametrize("case", METRICS)
def test_metric(case):
    checks.check_metric(case)


def test_a_loss_that_is_not_finite_is_found():
    class Endless(keras.losses.Loss):
        def call(self, labels, predictions):
            return labels / (predictions - predictions)

    with pytest.raises(AssertionError):
        checks.check_loss(Case(Endless, REGRESSION))


def test_a_metric_that_does_not_forget_is_found():
    class Remembers(keras.metrics.Sum):
        def update_state(self, labels, predictions, sample_weight=None):
            super().update_state(predictions)

        def reset_state(self):
            pass

    with pytest.raises(AssertionError):
        checks.check_metric(Case(Remembers, REGRESSION))
