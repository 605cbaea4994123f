"""Judges models that rank lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recs.data.interactions import Interactions
from recs.data.ranking import RankingLists
from recs.data.splits import Split
from recs.errors import explain
from recs.evaluation import item_baselines, per_list_ndcg
from recs.experiments.evaluation import Evaluation
from recs.experiments.report import Report

if TYPE_CHECKING:
    import tensorflow as tf


class ListwiseEvaluation(Evaluation):
    """Trains a `recs.models.Ranker` on lists, and judges it by the NDCG of held-out lists.

    The data is lists (`LibSVMFiles`), or ratings: each user's are a list then, the label of an item
    is its rating, and the columns are those of the interactions and of their items. NDCG has gains
    `2^label - 1`; lists without a relevant item are left out. Baselines: for ratings the mean
    rating of each item (damped) and its popularity; for lists of numbers alone the one feature, up
    or down, that ranks the training lists best.

    Args:
        ks: How many places count. Defaults to `(1, 5, 10)`.
        list_size: How many items of a list a training step sees, drawn anew each epoch. Defaults to
            `None`: all.
        show: How many lists are printed. Defaults to `2`.

    Raises:
        ValueError: when the interactions have no ratings.

    Example:
    ```python
    >>> from recs.experiments import ListwiseEvaluation
    >>> ListwiseEvaluation(ks=[10], list_size=50).list_size
    50

    ```
    """

    def __init__(
        self, ks: Sequence[int] = (1, 5, 10), list_size: int | None = None, show: int = 2
    ) -> None:
        self.ks = tuple(ks)
        self.list_size = list_size
        self.show = show

    def select(self, model: Any, data: Any) -> Any:
        """Returns ratings with the item features that the model reads; lists as they are."""
        if not isinstance(data, Interactions):
            return data
        if data.rating is None:
            raise ValueError(
                explain(
                    "The interactions",
                    rule="must have ratings to rank by",
                    received=repr(data),
                    where="ListwiseEvaluation",
                    remedy="Name their column in `data`.",
                )
            )
        wanted = [name for name in model.features.names if name not in data]
        return data.with_item_features(*wanted) if wanted else data

    def columns(self, model: Any) -> list[str]:
        """Returns the names of the features."""
        return list(model.features.names)

    def before(self, model: Any, train: Any) -> None:
        """Adapts the model's transforms to the training lists."""
        model.adapt(self.lists(model, train))

    def dataset(
        self, model: Any, examples: Any, batch_size: int, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Returns batches of lists; in training, `list_size` of each list's items."""
        lists = self.lists(model, examples)
        if shuffle_seed is None:
            return lists.to_dataset(batch_size)
        return lists.to_dataset(
            batch_size,
            list_size=self.list_size,
            shuffle=True,
            shuffle_examples=self.list_size is not None,
            seed=shuffle_seed,
        )

    def lists(self, model: Any, part: Any) -> RankingLists:
        """Returns a part as lists: of ratings, one a user.

        Args:
            model: the model, which knows the features.
            part: interactions or lists.
        """
        if isinstance(part, RankingLists):
            return part
        features = model.features
        columns = {name: part[name] for name in features.names}
        return RankingLists.from_rows(features, {**columns, features.label: part.rating}, part.user)

    def judge(self, model: Any, parts: Split, part: str) -> Report:
        """Returns NDCG of the model and of the baselines."""
        judged = getattr(parts, part)
        lists = self.lists(model, judged)
        scores = {"model": model.score_lists(lists)}
        if isinstance(judged, RankingLists):
            scores |= best_feature(parts.train, judged)
        else:
            order = _in_lists(judged.user)
            told = item_baselines(parts.train, judged)
            scores |= {name: values[order] for name, values in told.items()}
        figures: dict[str, dict[str, float]] = {name: {} for name in scores}
        for k in self.ks:
            for name, values in scores.items():
                found = per_list_ndcg(lists, values, k)
                figures[name][f"ndcg@{k}"] = float(np.mean(found, dtype=np.float64))
        protocol = (
            f"{part}: {len(found):,} lists with a relevant item, of {len(lists):,}; "
            f"{int(lists.row_splits[-1]):,} items"
        )
        return Report(protocol, figures)

    def samples(self, model: Any, parts: Split, part: str) -> str:
        """Returns some lists as the model ranks them, with their labels."""
        judged = getattr(parts, part)
        lists = self.lists(model, judged)
        rows = np.linspace(0, len(lists) - 1, min(self.show, len(lists))).astype(int)
        some = lists.take(rows)
        scores, labels = model.score_lists(some), some.examples[some.features.label]
        titles = _titles(judged, some)
        texts = []
        for number, row in enumerate(rows.tolist()):
            items = slice(*some.row_splits[number : number + 2])
            order = np.argsort(-scores[items], kind="stable")[: max(self.ks)]
            lines = [f"List {row}: the first {len(order)} of {items.stop - items.start} items"]
            for place, item in enumerate((order + items.start).tolist(), 1):
                line = f"  {place:3d}. {scores[item]:7.3f}  label {labels[item]:g}  {titles[item]}"
                lines.append(line.rstrip())
            texts.append("\n".join(lines))
        return "\n\n".join(texts)


def best_feature(train: RankingLists, judged: RankingLists) -> dict[str, np.ndarray]:
    """Returns the scores of the number that ranks training lists best, by NDCG of 10 places.

    Args:
        train: training lists.
        judged: the lists to score.
    """
    best, found = -1.0, {}
    for feature in judged.features.examples:
        if feature.kind != "dense":
            continue
        of_train = train.examples[feature.name].reshape(train.row_splits[-1], -1)
        of_judged = judged.examples[feature.name].reshape(judged.row_splits[-1], -1)
        for column in range(of_train.shape[1]):
            for sign in (1, -1):
                value = float(np.mean(per_list_ndcg(train, sign * of_train[:, column])))
                if value > best:
                    best, found = value, {"best feature": sign * of_judged[:, column]}
    return found


def _in_lists(user: np.ndarray) -> np.ndarray:
    """Returns the rows in the order in which `RankingLists.from_rows` puts them."""
    _, first, code = np.unique(user, return_index=True, return_inverse=True)
    return np.argsort(first[code], kind="stable")


def _titles(judged: Any, lists: RankingLists) -> list[str]:
    """Returns what to call the items, "" where nothing is known."""
    count = int(lists.row_splits[-1])
    names = getattr(judged, "roles", None) or {}
    items = lists.examples.get(names.get("item", ""))
    if items is None:
        return [""] * count
    table = judged.items
    if table is None or table.title is None:
        return [str(item) for item in items]
    return table.title[table.rows_of(items)].tolist()
