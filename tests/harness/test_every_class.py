"""Runs every check on every public layer, loss, metric and task."""

from __future__ import annotations

import keras
import pytest

from recs.metrics import Factorized
from tests.harness import checks
from tests.harness.registry import CASES, EXCUSED, parameters, public_classes

LAYERS = [
    case
    for case in parameters(keras.layers.Layer)
    if not any(case.values[0] in CASES[thing] for thing in CASES if issubclass(thing, Factorized))
]
ALL = parameters(object)


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
def test_fit(case):
    checks.check_fit(case)


@pytest.mark.parametrize("case", LAYERS)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(case, policy):
    if policy not in case.half:
        pytest.skip("not meant for half precision")
    checks.check_half(case, policy)


@pytest.mark.parametrize("case", LAYERS)
def test_empty(case):
    if not case.empty:
        pytest.skip("an empty batch is an error here")
    checks.check_empty(case)


@pytest.mark.parametrize("case", [p for p in LAYERS if p.values[0].extreme is not None])
def test_extreme(case):
    checks.check_extreme(case)


@pytest.mark.parametrize("case", [p for p in LAYERS if p.values[0].padded is not None])
def test_masks(case):
    checks.check_mask(case)


@pytest.mark.parametrize("case", parameters(keras.losses.Loss))
def test_loss(case):
    checks.check_loss(case)


@pytest.mark.parametrize("case", parameters(keras.metrics.Metric))
def test_metric(case):
    checks.check_metric(case)
