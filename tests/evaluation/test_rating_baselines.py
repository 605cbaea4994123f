from __future__ import annotations

import numpy as np
import pytest

from recs.data import Interactions
from recs.evaluation import rating_baselines


def test_biases_solve_the_damped_least_squares(rng):
    user, item = rng.integers(0, 6, 80), rng.integers(0, 9, 80)
    rating = rng.integers(1, 6, 80)
    log = Interactions({"user": user, "item": item, "rating": rating})
    test = Interactions({"user": [0, 99], "item": [1, 2], "rating": [3, 4]})
    # The same minimum by a linear system: sum (r - mu - bu - bi)^2 + 5 (bu^2 + bi^2).
    design = np.hstack([np.eye(6)[user], np.eye(9)[item]])
    bias = np.linalg.solve(design.T @ design + 5 * np.eye(15), design.T @ (rating - rating.mean()))
    told = rating.mean() + np.array([bias[0] + bias[6 + 1], bias[6 + 2]])
    expected = {
        "mean": np.sqrt(np.mean((np.array([3, 4]) - rating.mean()) ** 2)),
        "biases": np.sqrt(np.mean((np.array([3, 4]) - told) ** 2)),
    }
    assert rating_baselines(log, test, sweeps=200) == pytest.approx(expected, abs=1e-9)


def test_ratings_are_needed():
    log = Interactions({"user": [1], "item": [1]})
    with pytest.raises(ValueError, match="must have ratings, to train on and to test by"):
        rating_baselines(log, log)
