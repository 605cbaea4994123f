"""Judges models of many domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recs.data.splits import Split
from recs.evaluation.per_domain import per_domain
from recs.experiments.evaluation import Evaluation
from recs.experiments.report import Report


class DomainEvaluation(Evaluation):
    """The area under the curve and NDCG of each domain, of all, and of the small ones.

    Figures of several domains are means of theirs, weighed by rows (AUC) or lists (NDCG). Beside
    the model stands the mean label of the row's item in training, drawn to the domain's by five
    rows. Each target is judged by the rows that have it; those of regression are left out.

    Args:
        lists: The column that tells lists apart, within a domain. Defaults to `"user_id"`.
        item: The column of items, for the figures beside. Defaults to `"movie_id"`.
        small: float. A domain with less than this share of the training rows is small. Defaults
            to `0.05`.
        topn: How many places of a list count. Defaults to `10`.

    Example:
    ```python
    >>> from recs.experiments import DomainEvaluation, Evaluation
    >>> isinstance(DomainEvaluation(), Evaluation)
    True

    ```
    """

    def __init__(
        self, lists: str = "user_id", item: str = "movie_id", small: float = 0.05, topn: int = 10
    ) -> None:
        self.lists = lists
        self.item = item
        self.small = small
        self.topn = topn

    def columns(self, model: Any) -> list[str]:
        """Returns the model's columns and the labels."""
        return list(dict.fromkeys([*model.columns, *model.targets]))

    def before(self, model: Any, train: Any) -> None:
        """Gives the model the scale of its numbers."""
        model.adapt(train)

    def judge(self, model: Any, parts: Split, part: str) -> Report:
        """Returns the figures of the model and of items' means, and a line a domain."""
        test = getattr(parts, part)
        told = model.predict_targets(test)
        names = self._domains(model, test)
        train = self._domains(model, parts.train)
        small = {d for d in set(train) if np.mean(train == d) < self.small}
        rows: dict[str, dict[str, float]] = {"model": {}, "items' means": {}}
        notes = []
        for target, area in model.areas.items():
            means = _item_means(train, names, parts.train, test, self.item, target)
            prefix = f"{target} " if len(model.areas) > 1 else ""
            for row, scores in (("model", told[target]), ("items' means", means)):
                found = per_domain(test[target], scores, names, test[self.lists], self.topn)
                found = {d: f for d, f in found.items() if d in area.domains}
                rows[row] |= {f"{prefix}{k}": v for k, v in self._summary(found, small).items()}
                if row == "model":
                    notes += [self._line(prefix, d, f, d in small) for d, f in found.items()]
        protocol = f"{part}: {len(test):,} samples of {len(set(names))} domain(s), "
        return Report(f"{protocol}{len(small)} of them small", rows, tuple(notes))

    def _summary(self, found: Mapping[str, dict[str, float]], small: set[str]) -> dict[str, float]:
        ndcg = f"ndcg@{self.topn}"
        little = {d: f for d, f in found.items() if d in small}
        figures = {"auc": _mean(found, "auc", "rows"), ndcg: _mean(found, ndcg, "lists")}
        if little:
            figures["small auc"] = _mean(little, "auc", "rows")
            figures[f"small {ndcg}"] = _mean(little, ndcg, "lists")
        return figures

    def _line(self, prefix: str, domain: str, figures: dict[str, float], small: bool) -> str:
        ndcg = f"ndcg@{self.topn}"
        name = f"{prefix}{domain}{' (small)' if small else ''}"
        return (
            f"{name:<24}  {figures['rows']:>7,.0f} rows  auc {figures['auc']:.4f}  "
            f"{figures['lists']:>6,.0f} lists  {ndcg} {figures[ndcg]:.4f}"
        )

    @staticmethod
    def _domains(model: Any, table: Any) -> np.ndarray:
        if model.domain_column is None:
            return np.full(len(table), model.domains[0])
        return np.asarray(table[model.domain_column]).astype(str)


def _mean(found: Mapping[str, dict[str, float]], figure: str, by: str) -> float:
    """Returns a mean over domains, weighed, of those that have the figure."""
    told = [(f[figure], f[by]) for f in found.values() if not np.isnan(f[figure])]
    values, weights = zip(*told, strict=True) if told else ([float("nan")], [1.0])
    return float(np.average(values, weights=weights))


def _item_means(
    train_domains: np.ndarray, domains: np.ndarray, train: Any, test: Any, item: str, target: str
) -> np.ndarray:
    labels = np.asarray(train[target], np.float64)
    known = ~np.isnan(labels)
    means = np.zeros(len(domains))
    for domain in np.unique(domains):
        rows = known & (train_domains == domain)
        means[domains == domain] = labels[rows].mean() if rows.any() else 0.5
    _, code = np.unique(
        np.concatenate([np.asarray(t[item]).astype(str) for t in (train, test)]),
        return_inverse=True,
    )
    own, asked = code[: len(labels)][known], code[len(labels) :]
    size = int(code.max(initial=-1)) + 1
    total, count = np.bincount(own, labels[known], size), np.bincount(own, minlength=size)
    return (total[asked] + 5.0 * means) / (count[asked] + 5.0)
