"""Base class of ranking metrics: input, mean over lists and configuration."""

from __future__ import annotations

import abc
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from recs.errors import explain, warn_of_nonfinite_scores
from recs.losses.functional.ranking.lists import as_lists
from recs.losses.functional.ranking.order import lowest_finite
from recs.metrics.functional import ranking

TIES = ("worst", "position")


class RankingMetric(keras.metrics.Mean, abc.ABC):
    """Base of metrics over lists of items: a mean over lists, each with its weight.

    A score that is NaN or infinite says nothing of its item. It counts as the lowest finite number
    of its dtype, so that it never makes the metric better, and `nonfinite_scores` counts it unless
    its item is masked: by a label below 0 or NaN, a mask, or a weight of 0. `result()` warns with
    `recs.errors.NonFiniteScoresWarning` when it is called outside of a graph, as at the end of an
    epoch.
    """

    label_rank = 2

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        ragged: bool = False,
        ties: str = "worst",
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if ties not in TIES:
            raise ValueError(
                explain(
                    "`ties`",
                    rule=f"must be one of {TIES}",
                    received=f"ties={ties!r}",
                    where=f"{type(self).__name__} '{self.name}'",
                )
            )
        self.ragged = ragged
        self.ties = ties
        self.tfr_compatible = tfr_compatible
        self._nonfinite = self.add_variable(
            shape=(), initializer="zeros", dtype="int64", name="nonfinite_scores"
        )
        self._warned_of = 0

    @property
    def nonfinite_scores(self) -> int:
        """The number of unmasked scores since the last reset that were NaN or infinite."""
        return int(ops.convert_to_numpy(self._nonfinite))

    def reset_state(self) -> None:
        """Forgets every batch."""
        super().reset_state()
        self._nonfinite.assign(0)
        self._warned_of = 0

    def result(self) -> Any:
        """Returns the mean over lists; warns of scores that are not finite."""
        if tf.executing_eagerly() and self.nonfinite_scores > self._warned_of:
            self._warned_of = self.nonfinite_scores
            warn_of_nonfinite_scores(self._warned_of, f"{type(self).__name__} '{self.name}'")
        return super().result()

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> None:
        """Takes a batch into account.

        Args:
            y_true: Labels, `(batch, list)`, dense or ragged; or a dict of `labels` and `mask`.
            y_pred: Scores, as the labels.
            sample_weight: A scalar, `(batch,)` or `(batch, 1)` for lists, `(batch, list)` for
                items. Defaults to `None`, which weighs all alike.
            mask: bool `(batch, list)`, False where there is no item. Defaults to `None`.
        """
        lists = self._judged(y_true, y_pred, sample_weight, mask)
        self._nonfinite.assign_add(lists.nonfinite)
        values, weights = self._of_lists(lists)
        super().update_state(values, sample_weight=weights)

    def per_list(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> tuple[Any, Any]:
        """Returns the value of each list and the weight it has in the mean, `(batch,)` each.

        Takes what `update_state` takes, and leaves the metric's state alone. Warns of scores that
        are not finite when it is called outside of a graph.
        """
        lists = self._judged(y_true, y_pred, sample_weight, mask)
        if tf.executing_eagerly():
            count = int(ops.convert_to_numpy(lists.nonfinite))
            warn_of_nonfinite_scores(count, f"{type(self).__name__} '{self.name}'")
        return self._of_lists(lists)

    def _judged(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> ranking.Judged:
        lists = as_lists(
            y_true,
            y_pred,
            sample_weight,
            mask,
            where=f"{type(self).__name__} '{self.name}'",
            label_rank=self.label_rank,
            tfr_compatible=self.tfr_compatible,
        )
        worst = self.ties == "worst"
        # TF-Ranking's metrics of topics do not take items without weight for absent.
        masks = self.label_rank == 2
        lowest = lowest_finite(y_pred)
        return ranking.judged(lists, worst, self.tfr_compatible, masks, lowest)

    @abc.abstractmethod
    def _of_lists(self, lists: ranking.Judged) -> tuple[Any, Any]:
        """Returns values and weights, `(batch,)` each."""

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        return {
            **super().get_config(),
            "ragged": self.ragged,
            "ties": self.ties,
            "tfr_compatible": self.tfr_compatible,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RankingMetric:
        """Rebuilds a metric from `get_config`."""
        functions = {
            k: keras.saving.deserialize_keras_object(v)
            for k, v in config.items()
            if k.endswith("_fn")
        }
        return cls(**{**config, **functions})


class CutMetric(RankingMetric):
    """Base of ranking metrics that look at the first `topn` places."""

    def __init__(
        self,
        name: str | None = None,
        topn: int | None = None,
        dtype: Any = None,
        ragged: bool = False,
        ties: str = "worst",
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(name, dtype, ragged, ties, tfr_compatible)
        if topn is not None and (isinstance(topn, bool) or not isinstance(topn, int) or topn < 1):
            raise ValueError(
                explain(
                    "`topn`",
                    rule="must be a positive integer, or None for all places",
                    received=f"topn={topn!r}",
                    where=f"{type(self).__name__} '{self.name}'",
                )
            )
        self.topn = topn

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        return {**super().get_config(), "topn": self.topn}
