"""Judges models that predict ratings."""

from __future__ import annotations

from typing import Any

import numpy as np

from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.errors import explain
from recs.evaluation import rating_baselines
from recs.experiments.evaluation import Evaluation
from recs.experiments.report import Report


class RatingEvaluation(Evaluation):
    """The RMSE on held-out ratings, beside those of the mean and of user and item biases.

    `rmse = sqrt(mean((rating - predicted)**2))` over every held-out rating, those of users and
    items that training does not have included. Baselines: `recs.evaluation.rating_baselines`.

    Args:
        show: How many predictions are printed. Defaults to `10`.

    Raises:
        ValueError: when the interactions have no ratings.

    Example:
    ```python
    >>> from recs.experiments import RatingEvaluation
    >>> RatingEvaluation(show=5).show
    5

    ```
    """

    def __init__(self, show: int = 10) -> None:
        self.show = show

    def select(self, model: Any, data: Interactions) -> Interactions:
        """Returns the ratings, with the item features that the model reads."""
        if data.rating is None:
            raise ValueError(
                explain(
                    "The interactions",
                    rule="must have ratings to learn them",
                    received=repr(data),
                    where="RatingEvaluation",
                    remedy="Name their column in `data`.",
                )
            )
        wanted = [name for name in model.candidate_tower.features if name not in data]
        return data.with_item_features(*wanted) if wanted else data

    def columns(self, model: Any) -> list[str]:
        """Returns the model's columns and the ratings."""
        return [*model.columns, model.rating]

    def before(self, model: Any, train: Interactions) -> None:
        """Gives the model the mean rating."""
        model.set_mean(float(np.mean(train.rating, dtype=np.float64)))  # type: ignore[arg-type]

    def judge(self, model: Any, parts: Split, part: str) -> Report:
        """Returns the RMSE of the model and of the baselines."""
        test = getattr(parts, part)
        baselines = rating_baselines(parts.train, test)
        error = test.rating - model.predict_ratings({n: test[n] for n in model.columns})
        rmse = float(np.sqrt(np.mean(np.square(error, dtype=np.float64))))
        figures = {"model": {"rmse": rmse}}
        names = {"mean": "mean rating", "biases": "user and item biases"}
        figures |= {names[name]: {"rmse": value} for name, value in baselines.items()}
        return Report(f"{part}: {len(test):,} ratings; lower is better", figures)

    def samples(self, model: Any, parts: Split, part: str) -> str:
        """Returns some held-out ratings beside their predictions."""
        test = getattr(parts, part)
        rows = np.linspace(0, len(test) - 1, min(self.show, len(test))).astype(int)
        some = test.take(rows)
        told = model.predict_ratings({name: some[name] for name in model.columns})
        titles: list[Any] = some.item.tolist()
        if some.items is not None and some.items.title is not None:
            titles = some.items.title[some.items.rows_of(some.item)].tolist()
        lines = ["user        rated  predicted  item"]
        for user, rating, guess, title in zip(some.user, some.rating, told, titles, strict=True):
            lines.append(f"{user!s:<10}  {rating:5.1f}  {guess:9.1f}  {title}")
        return "\n".join(lines)
