"""Judges models that adapt to users of whom they know a few ratings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.data.splits import Split
from recs.evaluation.rating_baselines import new_user_biases
from recs.experiments.rating_evaluation import RatingEvaluation
from recs.experiments.report import Report
from recs.models.encode import in_batches

if TYPE_CHECKING:
    import tensorflow as tf


class FewShotEvaluation(RatingEvaluation):
    """The RMSE on ratings of new users, of whom a `MetaLearner` is told a few others.

    Of each user of the part, the ratings are put in an order drawn by the seed. The first `n` are
    remembered, for each `n` of `support`; those behind the largest `n` are predicted, the same for
    all. `rmse@n = sqrt(mean_u mean_i (rating - predicted)**2)`: each user counts alike.

    Beside it: the same model without adaptation, and biases of items, from the training part, and
    of users, from what is remembered.

    Args:
        support: How many ratings of a user are known; several are judged one after the other.
            Defaults to `(5, 20)`.
        seed: Decides which. Defaults to `0`.
        show: How many predictions are printed. Defaults to `10`.

    Raises:
        ValueError: when the interactions have no ratings.

    Example:
    ```python
    >>> from recs.experiments import FewShotEvaluation
    >>> FewShotEvaluation(support=[5]).support
    (5,)

    ```
    """

    def __init__(self, support: Sequence[int] = (5, 20), seed: int = 0, show: int = 10) -> None:
        super().__init__(show)
        self.support = tuple(support)
        self.seed = seed

    def select(self, model: Any, data: Interactions) -> Interactions:
        """Returns the ratings, with the item features that the model reads."""
        return super().select(model.model, data)

    def columns(self, model: Any) -> list[str]:
        """Returns the columns of tasks, of the model, and the ratings."""
        return [*model.columns, model.model.rating]

    def dataset(
        self, model: Any, examples: Any, batch_size: int, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Returns batches in which a user's ratings come together."""
        if shuffle_seed is None:
            return super().dataset(model, examples, batch_size)
        return examples.to_dataset(
            self.columns(model),
            batch_size=batch_size,
            shuffle=True,
            seed=shuffle_seed,
            group_by=model.task,
            group_size=model.samples_of_a_task,
        )

    def before(self, model: Any, train: Interactions) -> None:
        """Gives the model the mean rating."""
        super().before(model.model, train)

    def after(self, model: Any, data: Interactions) -> None:
        """Fills the memory anew, with what the finished model makes of the training part."""
        model.forget().remember(data.to_dataset(self.columns(model), batch_size=8192))

    def judge(self, model: Any, parts: Split, part: str) -> Report:
        """Returns the RMSE with and without adaptation, and that of the biases.

        The memory is as before when it is done.
        """
        known, asked = self.divided(getattr(parts, part))
        figures: dict[str, dict[str, float]] = {}
        with _kept(model.memory.values()):
            for n, rows in known.items():
                told = self.predictions(model, rows, asked)
                told["user and item biases"] = new_user_biases(parts.train, rows, asked)
                for name, values in told.items():
                    figures.setdefault(name, {})[f"rmse@{n}"] = user_rmse(asked, values)
        users = len(set(asked.user.tolist()))
        protocol = f"{part}: {users} new users, {len(asked):,} ratings; lower is better"
        return Report(protocol, figures)

    def divided(self, part: Interactions) -> tuple[dict[int, Interactions], Interactions]:
        """Returns what is known of new users, by how many ratings of each, and what is asked."""
        # RandomState's stream is frozen by NumPy.
        drawn = np.random.RandomState(self.seed).permutation(len(part))
        drawn = drawn[np.argsort(codes(part.user)[0][drawn], kind="stable")]
        counts = np.bincount(codes(part.user)[0])
        number = np.arange(len(part)) - np.repeat(np.cumsum(counts) - counts, counts)
        place = np.empty(len(part), np.int64)
        place[drawn] = number
        known = {n: part.take(place < n) for n in self.support}
        return known, part.take(place >= max(self.support))

    def predictions(
        self, model: Any, known: Interactions, asked: Interactions
    ) -> dict[str, np.ndarray]:
        """Returns the predicted ratings with adaptation and without, `(rows,)`.

        Args:
            model: a `MetaLearner`; its memory has what is known afterwards, and no more.
            known: ratings of the users.
            asked: rows to predict.
        """
        model.forget().remember(known.to_dataset(self.columns(model), batch_size=8192))
        columns = {name: asked[name] for name in model.columns}
        names = [*model.columns, "adapt"]
        return {
            name: in_batches(model, {**columns, "adapt": np.full(len(asked), adapt)}, names)
            for name, adapt in (("model", True), ("without adaptation", False))
        }

    def samples(self, model: Any, parts: Split, part: str) -> str:
        """Returns some ratings beside what is predicted before and after adaptation."""
        known, asked = self.divided(getattr(parts, part))
        rows = np.linspace(0, len(asked) - 1, min(self.show, len(asked))).astype(int)
        some = asked.take(rows)
        with _kept(model.memory.values()):
            told = self.predictions(model, known[max(self.support)], some)
        rated = np.asarray(some.rating)
        lines = ["user        rated  adapted  not adapted  item"]
        for row in zip(some.user, rated, *told.values(), some.item, strict=True):
            lines.append("{!s:<10}  {:5.1f}  {:7.1f}  {:11.1f}  {}".format(*row))
        return "\n".join(lines)


def user_rmse(asked: Interactions, told: np.ndarray) -> float:
    """Returns the root of the mean over users of their mean squared error.

    Args:
        asked: the ratings.
        told: what was predicted of them.
    """
    user = codes(asked.user)[0]
    squared = np.square(np.asarray(asked.rating, np.float64) - told)
    return float(np.sqrt(np.mean(np.bincount(user, squared) / np.bincount(user))))


@contextlib.contextmanager
def _kept(memories: Iterable[Any]) -> Iterator[None]:
    """Puts memories back as they were."""
    before = [(m.table, [block.numpy() for block in m.table.serialize()]) for m in memories]
    try:
        yield
    finally:
        for table, blocks in before:
            table.deserialize(blocks)
