"""New users of MovieLens latest-small, of whom five or twenty ratings are known.

A fifth of the users test and a tenth validates; training meets neither. The model predicts a rating
from the film alone; its tower adapts to what is known of a user. "None" is the model without
adaptation, "fine-tuned" the same model, trained as ever on ratings in random order, whose tower
adapts all the same; the others were trained with a meta loss, by rows of a user next to each other.
Model, optimizer and epochs are the same for all. Size and number of inner steps are chosen by the
validation users, for each row, seed and number of ratings; the root of the mean over users of
their mean squared error is of the test users. Each seed is another division and other initial
weights.

    python benchmarks/meta_learning.py [--seeds 5] [--epochs 10] [--smoke]
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np

from benchmarks.timing import table
from recs.data import movielens
from recs.data.interactions import Interactions
from recs.data.splits import Split, users_out
from recs.evaluation.rating_baselines import new_user_biases
from recs.experiments import FewShotEvaluation
from recs.experiments.few_shot_evaluation import user_rmse
from recs.models import MetaLearner, RatingModel

BATCH = 1024
RATES = {1: (0.03, 0.05, 0.08, 0.1, 0.15), 5: (0.01, 0.02, 0.03, 0.05)}  # by inner steps
METHODS = {"MAML": "maml", "first-order MAML": "first_order_maml", "Reptile": "reptile"}
Found = dict[str, dict[int, float]]


def learner(seed: int, meta_weight: float, method: str = "maml") -> MetaLearner:
    model = RatingModel(
        user=None,
        item="movie_id",
        item_features=["movie_genres"],
        embedding_dim=16,
        units=[32],
        regularization=0.0003,
        dropout=0.2,
        seed=seed,
    )
    return MetaLearner(
        model,
        method=method,
        inner_rate=0.05,
        support=5,
        query=15,
        meta_weight=meta_weight,
        remember_training=False,
        seed=seed,
    )


def trained(
    model: MetaLearner, parts: Split, evaluation: FewShotEvaluation, epochs: int, seed: int
) -> MetaLearner:
    evaluation.before(model, parts.train)
    steps = epochs * -(-len(parts.train) // BATCH)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.003, steps)))
    if model.meta_weight:
        data = evaluation.dataset(model, parts.train, BATCH, seed)
    else:
        columns = evaluation.columns(model)
        data = parts.train.to_dataset(columns, batch_size=BATCH, shuffle=True, seed=seed)
    model.fit(data, epochs=epochs, verbose=0)
    return model


def judged(
    model: MetaLearner, part: Interactions, evaluation: FewShotEvaluation, n: int
) -> dict[str, float]:
    """Returns the error with adaptation as the model is set, and without."""
    known, asked = evaluation.divided(part)
    told = evaluation.predictions(model, known[n], asked)
    return {name: user_rmse(asked, values) for name, values in told.items()}


def chosen(model: MetaLearner, parts: Split, evaluation: FewShotEvaluation, n: int) -> float:
    """Returns the test error with the inner steps that validation users are predicted best by."""
    errors = {}
    for steps, rates in RATES.items():
        for rate in rates:
            model.inner_rate, model.inner_steps = rate, steps
            errors[rate, steps] = judged(model, parts.validation, evaluation, n)["model"]
    model.inner_rate, model.inner_steps = min(errors, key=lambda setting: errors[setting])
    return judged(model, parts.test, evaluation, n)["model"]


def run(seed: int, ratings: Interactions, epochs: int, methods: dict[str, str]) -> Found:
    """Returns the test error of each row, by the number of known ratings."""
    parts = users_out(ratings, 0.2, seed, validation_fraction=0.1)
    evaluation = FewShotEvaluation(seed=seed)
    known, asked = evaluation.divided(parts.test)
    found: Found = {
        "biases": {
            n: user_rmse(asked, new_user_biases(parts.train, rows, asked))
            for n, rows in known.items()
        }
    }
    plain = trained(learner(seed, 0.0), parts, evaluation, epochs, seed)
    none = judged(plain, parts.test, evaluation, evaluation.support[0])["without adaptation"]
    found["none"] = dict.fromkeys(evaluation.support, none)
    found["fine-tuned"] = {n: chosen(plain, parts, evaluation, n) for n in evaluation.support}
    for name, method in methods.items():
        model = trained(learner(seed, 1.0, method), parts, evaluation, epochs, seed)
        found[name] = {n: chosen(model, parts, evaluation, n) for n in evaluation.support}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    arguments = parser.parse_args()
    ratings: Any = movielens.load().with_item_features("movie_genres")
    methods = METHODS
    if arguments.smoke:
        arguments.seeds = arguments.epochs = 1
        methods = {"MAML": "maml"}
        for steps in RATES:
            RATES[steps] = RATES[steps][:1]
    start = time.perf_counter()
    seeds = [run(seed, ratings, arguments.epochs, methods) for seed in range(arguments.seeds)]
    lines = []
    for name in seeds[0]:
        cells = []
        for n in seeds[0][name]:
            own = np.array([found[name][n] for found in seeds])
            cells.append(f"{own.mean():.4f} ± {own.std():.4f}")
            for other in ("none", "fine-tuned"):
                better = sum(found[name][n] < found[other][n] for found in seeds)
                cells.append(f"{better}/{len(seeds)}")
        lines.append([name, *cells])
    took = time.perf_counter() - start
    print(
        f"{arguments.seeds} seeds, {arguments.epochs} epochs, {took:.0f} s; RMSE, lower is better"
    )
    header = [
        part
        for n in seeds[0]["none"]
        for part in (f"{n} ratings", "below none", "below fine-tuned")
    ]
    print(table(["adaptation", *header], lines))


if __name__ == "__main__":
    main()
