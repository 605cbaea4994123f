"""Judges models that predict several labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from recs.data.splits import Split
from recs.evaluation.area_under_curve import area_under_curve
from recs.experiments.evaluation import Evaluation
from recs.experiments.report import Report


class MultiTaskEvaluation(Evaluation):
    """The area under the curve and the log loss of each task, beside the share of positives.

    `log loss = -mean(y log p + (1 - y) log(1 - p))` over the rows that have the label, with `p`
    between 1e-7 and 1 - 1e-7; a probability that is NaN or infinite counts as the worst of these.

    Example:
    ```python
    >>> from recs.experiments import Evaluation, MultiTaskEvaluation
    >>> isinstance(MultiTaskEvaluation(), Evaluation)
    True

    ```
    """

    def columns(self, model: Any) -> list[str]:
        """Returns the model's columns and the labels."""
        return [*model.columns, *model.tasks]

    def before(self, model: Any, train: Any) -> None:
        """Gives the model the scale of its numbers."""
        model.adapt(train)

    def judge(self, model: Any, parts: Split, part: str) -> Report:
        """Returns the figures of the model, and of the share of positives in training."""
        test = getattr(parts, part)
        told = model.predict_probabilities(test)
        shares = {t: np.full(len(test), np.nanmean(parts.train[t])) for t in model.tasks}
        figures = {"model": _figures(test, told), "share of positives": _figures(test, shares)}
        return Report(f"{part}: {len(test):,} samples", figures)


def _figures(test: Any, told: dict[str, np.ndarray]) -> dict[str, float]:
    figures = {}
    for task, p in told.items():
        labels = np.asarray(test[task], np.float64)
        known = ~np.isnan(labels)
        figures[f"{task} auc"] = area_under_curve(labels, p)
        p = p[known].astype(np.float64)
        sure = np.clip(p, 1e-7, 1 - 1e-7)
        right = np.where(labels[known] >= 1, sure, 1 - sure)
        right = np.where(np.isfinite(p), right, 1e-7)
        figures[f"{task} log loss"] = float(-np.log(right).mean())
    return figures
