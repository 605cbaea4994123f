"""The area under the curve against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recs.evaluation import area_under_curve


@pytest.mark.parametrize("levels", [3, 50, None])
def test_it_equals_scikit_learns(rng, levels):
    labels = rng.integers(0, 2, 200).astype("float32")
    scores = rng.normal(size=200) if levels is None else rng.integers(0, levels, 200)
    assert area_under_curve(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    unknown = rng.random(200) < 0.3
    known = roc_auc_score(labels[~unknown], scores[~unknown])
    labels[unknown] = np.nan
    assert area_under_curve(labels, scores) == pytest.approx(known)


def test_labels_that_are_alike_have_none():
    assert np.isnan(area_under_curve(np.ones(3), np.arange(3)))
    assert np.isnan(area_under_curve(np.zeros(0), np.zeros(0)))
