"""What all ranking metrics share: their input, their mean over lists and their configuration."""

from __future__ import annotations

import abc
from typing import Any

import keras

from recs.errors import explain
from recs.losses.functional.ranking.lists import as_lists
from recs.metrics.functional import ranking

TIES = ("worst", "position")


class RankingMetric(keras.metrics.Mean, abc.ABC):
    """Base of metrics over lists of items: a mean over lists, each with its weight."""

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
        values, weights = self.per_list(y_true, y_pred, sample_weight, mask)
        super().update_state(values, sample_weight=weights)

    def per_list(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> tuple[Any, Any]:
        """Returns the value of each list and the weight it has in the mean, `(batch,)` each.

        Takes what `update_state` takes, and leaves the metric's state alone.
        """
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
        return self._of_lists(ranking.judged(lists, worst, self.tfr_compatible, masks))

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
