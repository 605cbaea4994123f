"""Base class of ranking losses: input, reduction and configuration."""

from __future__ import annotations

import abc
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.losses import lambda_weight as lambdas
from recs.losses.functional.ranking.lists import (
    Lists,
    as_lists,
    item_counts,
    item_weights,
    list_weights,
)
from recs.losses.functional.ranking.reduction import reduced


class RankingLoss(keras.losses.Loss, abc.ABC):
    """Base of losses over lists of items.

    Labels and scores are `(batch, list)`. What is not an item is told in any of four ways, which
    add up: a label below 0; a ragged tensor; a Keras mask on the scores; `mask=` in the call, or
    labels as a dict of `labels` and `mask`. All is computed in float32.
    """

    score_rank = 2
    # Whether scores in invalid places have to be 0.
    mask_scores = True

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        ragged: bool = False,
        tfr_compatible: bool = False,
    ) -> None:
        reduction = "sum_over_batch_size" if reduction == "auto" else reduction
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.ragged = ragged
        self.tfr_compatible = tfr_compatible

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> Any:
        """Returns the loss.

        Args:
            y_true: Labels, `(batch, list)`, dense or ragged; or a dict of `labels` and `mask`.
            y_pred: Scores, as the labels.
            sample_weight: A scalar, `(batch,)` or `(batch, 1)` for lists, `(batch, list)` for
                items. Defaults to `None`, which weighs all alike.
            mask: bool `(batch, list)`, False where there is no item. Defaults to `None`.
        """
        lists = self._lists(y_true, y_pred, sample_weight, mask)
        if self.reduction in (None, "none"):
            return self._values(lists, reduce=False)
        total = ops.sum(self._values(lists, reduce=True))
        return reduced(total, *self._counted(lists), self.reduction)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each list or item, without weights."""
        return self._values(self._lists(y_true, y_pred, None, None), reduce=False)

    def _lists(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> Lists:
        return as_lists(
            y_true,
            y_pred,
            sample_weight,
            mask,
            where=f"{type(self).__name__} '{self.name}'",
            score_rank=self.score_rank,
            mask_scores=self.mask_scores,
            tfr_compatible=self.tfr_compatible,
        )

    @abc.abstractmethod
    def _values(self, lists: Lists, *, reduce: bool) -> Any:
        """Returns weighted losses; of lists when they are to be reduced, else of the units."""

    @abc.abstractmethod
    def _counted(self, lists: Lists) -> tuple[Any, Any]:
        """Returns how many units there are, and the sum of their weights."""

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {
            **super().get_config(),
            "ragged": self.ragged,
            "tfr_compatible": self.tfr_compatible,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RankingLoss:
        """Rebuilds a loss from `get_config`."""
        config = dict(config)
        if config.get("lambda_weight") is not None:
            weight = keras.saving.deserialize_keras_object(config["lambda_weight"])
            config["lambda_weight"] = weight
        return cls(**config)


class ItemLoss(RankingLoss):
    """Base of losses that are a sum over items, averaged over the items of the batch."""

    def _counted(self, lists: Lists) -> tuple[Any, Any]:
        if self.tfr_compatible:
            count = ops.sum(ops.ones_like(lists.labels))
        else:
            count = ops.sum(ops.cast(lists.valid, "float32"))
        return count, ops.sum(item_weights(lists))


class PairwiseLoss(ItemLoss):
    """Base of losses of pairs of items."""

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        lambda_weight: Any = None,
        temperature: float = 1.0,
        ragged: bool = False,
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(reduction, name, ragged, tfr_compatible)
        self.lambda_weight = lambda_weight
        self._pair_weight = lambdas.of_pairs(lambda_weight, type(self).__name__)
        self.temperature = positive(temperature, "temperature", type(self).__name__)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {
            **super().get_config(),
            "lambda_weight": keras.saving.serialize_keras_object(self.lambda_weight),
            "temperature": self.temperature,
        }


class ListwiseLoss(RankingLoss):
    """Base of losses of whole lists, averaged over the lists that have any item."""

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        lambda_weight: Any = None,
        temperature: float = 1.0,
        ragged: bool = False,
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(reduction, name, ragged, tfr_compatible)
        self.lambda_weight = self._checked_lambda(lambda_weight)
        self.temperature = positive(temperature, "temperature", type(self).__name__)

    def _checked_lambda(self, weight: Any) -> Any:
        """Returns the lambda weight; a loss that has no use for it does not ignore it."""
        if weight is None or self.tfr_compatible:
            return weight
        raise lambdas.refusal(
            weight,
            "has no effect on this loss, so must be None",
            type(self).__name__,
            "`tfr_compatible=True` ignores it, as TF-Ranking does.",
        )

    def _values(self, lists: Lists, *, reduce: bool) -> Any:
        values = self._of_lists(lists)
        if lists.weights is not None:
            values = values * list_weights(lists, self.tfr_compatible)
        if self.tfr_compatible:
            return values
        return ops.where(item_counts(lists.valid) > 0, values, ops.zeros_like(values))

    @abc.abstractmethod
    def _of_lists(self, lists: Lists) -> Any:
        """Returns the loss of each list, `(batch,)`, without weights."""

    def _counted(self, lists: Lists) -> tuple[Any, Any]:
        if self.tfr_compatible:
            counts = ops.ones_like(lists.labels[:, 0])
        else:
            counts = ops.cast(item_counts(lists.valid) > 0, "float32")
        weights = list_weights(lists, self.tfr_compatible)
        return ops.sum(counts), ops.sum(counts * weights)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {
            **super().get_config(),
            "lambda_weight": keras.saving.serialize_keras_object(self.lambda_weight),
            "temperature": self.temperature,
        }


def positive(value: float, name: str, where: str) -> float:
    """Returns the value, which must be above 0."""
    if not value > 0:
        raise ValueError(
            explain(f"`{name}`", rule="must be above 0", received=f"{name}={value!r}", where=where)
        )
    return value
