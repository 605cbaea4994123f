"""Listwise ranking task that adds the scorer's regularization to the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs import losses
from recs.errors import explain
from recs.losses.functional.ranking.lists import Lists, as_lists, item_weights
from recs.losses.functional.ranking.reduction import reduced
from recs.losses.ranking_loss import RankingLoss
from recs.metrics.ranking_metric import RankingMetric
from recs.tasks.base import Task, as_list, deserialize_all, serialize_all
from recs.tasks.loss_weight import LossWeight
from recs.tasks.member_scores import MemberScores
from recs.tasks.padded_lists import padded_lists


@keras.saving.register_keras_serializable("recs")
class RankingHead(Task):
    """Scores lists of items, and returns their ranking loss, regularization in sight.

    The loss decides how lists are learned: a pointwise, pairwise or listwise one of `recs.losses`,
    or a Keras loss, which is taken of each item by itself and averaged over the items there are.

    A scorer's regularization is the sum over all losses that its layers add, its weights'
    regularizers and those of the distinct rows that its embeddings looked up, at any depth of
    nesting, and over the head's own kernel. `recs.Model` minimizes
    `total_loss = loss + regularization_weight * regularization` and reports the three as `loss`,
    `regularization_loss` (weighted) and `total_loss`; the `loss` of a validation is the ranking
    loss alone. Heads that share layers each weigh them: share a scorer outside of the heads.

    With `members=m` there are `m` scorers, each with weights, dropout and a loss of its own; loss
    and regularization are the means over them, metrics and `head.scores` those of the mean score.
    On little data that mean is better than any of them.

    Masking: a label below 0, `mask`, a Keras mask on scores and the end of a ragged list take
    items out of loss and metrics. The scorer gets the mask too: as its argument `mask` if its
    `call` has one, or as the input `mask_name`. An empty batch, and lists of no items, have loss 0.

    Args:
        loss: A loss of `recs.losses`, its name for `recs.losses.get`, or a Keras loss. Defaults to
            `None`, which is `recs.losses.SoftmaxLoss()`.
        metrics: One or several metrics of `recs.metrics`, or Keras metrics of labels and scores.
            Defaults to `None`, for none.
        loss_metrics: Keras metrics of the ranking loss. Defaults to `None`, for none.
        scorer: A Keras layer or model from the inputs to scores `(batch, list)` or to vectors
            `(batch, list, dim)`. Defaults to `None`: the head is called with what a scorer gave,
            whose own regularization then counts with weight 1.
        units: int. How many scores a dense layer of the head makes of an item's vector; more than
            one for losses that want several. Defaults to `None`: the scorer gives scores.
        kernel_regularizer: The regularizer of that dense layer's kernel, such as the elastic net
            `keras.regularizers.L1L2(1e-5, 1e-4)`. Defaults to `None`.
        regularization_weight: float, 0 or more. How much all regularization counts. Defaults to
            `1.0`.
        list_dropout: float from 0 to below 1. The probability that an item is left out of its
            list in training, from scorer, loss and metrics, as if it were padding. A list that
            would lose all its items keeps them. Defaults to `0.0`.
        mask_name: str. For scorers whose inputs are a dict: the name that the mask has among them.
            Defaults to `None`.
        members: int, positive. How many scorers there are, made of the configuration of `scorer`.
            Defaults to `1`.
        seed: int. Decides what `list_dropout` leaves out. Defaults to `None`: drawn anew.
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: labels `(batch, list)`, inputs as the scorer takes them, both dense or ragged -> a
    float32 scalar. `head.scores` is the layer from inputs to scores, `(batch, list)`, for serving,
    and for `keras.Model(inputs, head.scores(inputs))` with `compile(loss=head.loss)`.

    Raises:
        ValueError: when an argument is out of range, or the scorer gives no scores of lists.

    Example:
    ```python
    >>> import keras
    >>> import numpy as np
    >>> from recs.tasks import RankingHead
    >>> head = RankingHead("pairwise_logistic_loss", scorer=keras.layers.Dense(1, use_bias=False))
    >>> features = np.ones((2, 3, 4), "float32")
    >>> labels = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, -1.0]], "float32")
    >>> round(float(head(labels, features)), 4)  # 3 pairs of equal scores, averaged over 5 items
    0.4159
    >>> head.scores(features).shape
    TensorShape([2, 3])

    ```

    Reference: `tfr.keras.losses` and `tfr.keras.model`, where the losses of layers are left to the
    user. Scorers for it are in `recs.layers.ranking`.
    """

    def __init__(
        self,
        loss: Any = None,
        metrics: Sequence[keras.Metric] | keras.Metric | None = None,
        loss_metrics: Sequence[keras.Metric] | keras.Metric | None = None,
        scorer: keras.layers.Layer | None = None,
        units: int | None = None,
        kernel_regularizer: Any = None,
        regularization_weight: float = 1.0,
        list_dropout: float = 0.0,
        mask_name: str | None = None,
        members: int = 1,
        seed: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.supports_masking = True
        self._check("regularization_weight", regularization_weight, regularization_weight >= 0)
        self._check("list_dropout", list_dropout, 0 <= list_dropout < 1)
        self._check("units", units, units is None or units > 0)
        self._check("members", members, members == 1 or (members > 1 and scorer is not None))
        if isinstance(loss, str):
            loss = losses.get(loss)
        self.loss = losses.SoftmaxLoss() if loss is None else loss
        if not isinstance(self.loss, keras.losses.Loss):
            raise self._bad(
                "loss", "must be a loss of recs.losses, its name, or a Keras loss", loss
            )
        self._head_metrics = as_list(metrics)
        self._loss_metrics = as_list(loss_metrics)
        self.regularization_weight = regularization_weight
        self.list_dropout = list_dropout
        self.seed = seed
        self.members = members
        given = (scorer, members, units, kernel_regularizer, mask_name)
        self.scores = MemberScores(*given, dtype=self.dtype_policy, name="scores")
        self._loss_weight = LossWeight(self, regularization_weight / members)
        self._draws = keras.random.SeedGenerator(seed) if list_dropout else None

    @property
    def scorer(self) -> keras.layers.Layer | None:
        """The scorer, that of the first member, or None."""
        return self.scores.scorer

    def call(
        self,
        labels: Any,
        inputs: Any,
        sample_weight: Any = None,
        mask: Any = None,
        training: bool | None = None,
        compute_metrics: bool = True,
    ) -> Any:
        """Returns the ranking loss, without regularization, and updates the metrics.

        Args:
            labels: `(batch, list)`, dense or ragged, below 0 where there is no item; or a dict of
                `labels` and `mask`.
            inputs: What the scorer takes; without a scorer, scores or vectors.
            sample_weight: A scalar, `(batch,)` or `(batch, 1)` for lists, `(batch, list)` for
                items. Defaults to `None`, which weighs all alike.
            mask: bool `(batch, list)`, False where there is no item. Defaults to `None`.
            training: bool. Whether the scorer trains, and items are dropped. Defaults to `None`:
                as the call around this one.
            compute_metrics: bool. False leaves the metrics alone, those of the loss included.
                Defaults to `True`.
        """
        before = self._loss_weight.before()
        padded = padded_lists(labels, inputs, sample_weight, mask)
        there = self._kept(padded.mask) if training and self.list_dropout else padded.mask
        scores = self.scores(padded.inputs, there, training=training, each=True)
        self._loss_weight.correct(before)
        loss = self._loss_of_members(padded.labels, scores, padded.weights, there)
        if compute_metrics:
            self._update(padded.labels, ops.mean(scores, axis=0), padded.weights, there)
            for metric in self._loss_metrics:
                metric.update_state(loss)
        return loss

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Returns none: a loss has no items."""

    def _kept(self, mask: Any) -> Any:
        """Returns the mask of the items that dropout leaves."""
        kept = keras.random.uniform(ops.shape(mask), seed=self._draws) >= self.list_dropout
        kept = ops.logical_and(mask, kept)
        return ops.where(ops.any(kept, axis=1, keepdims=True), kept, mask)

    def _loss_of_members(self, labels: Any, scores: Any, weights: Any, mask: Any) -> Any:
        """Returns the loss of scores `(members, batch, list, ...)`."""
        if self.members == 1:
            return self._loss_of(labels, scores[0], weights, mask)
        # Each member's lists are lists of their own: the mean over lists is that over members too.
        labels, weights, mask = (self._of_each(one) for one in (labels, weights, mask))
        shape = ops.shape(scores)
        stacked = ops.reshape(scores, (shape[0] * shape[1], *shape[2:]))
        return self._loss_of(labels, stacked, weights, mask)

    def _of_each(self, value: Any) -> Any:
        """Returns what is known of each list, once for every member."""
        if value is None or ops.ndim(value) == 0:
            return value
        return ops.concatenate([ops.convert_to_tensor(value)] * self.members, axis=0)

    def _loss_of(self, labels: Any, scores: Any, weights: Any, mask: Any) -> Any:
        if isinstance(self.loss, RankingLoss):
            loss = self.loss(labels, scores, weights, mask=mask)
            return ops.sum(loss) if tuple(loss.shape) == (0,) else loss
        lists = self._lists(labels, scores, weights, mask)
        # An axis of its own for each item: Keras's losses take the mean over the last one.
        of_items = self.loss.call(lists.labels[..., None], lists.scores[..., None])
        weight = item_weights(lists)
        count = ops.sum(ops.cast(lists.valid, "float32"))
        total = ops.sum(ops.cast(of_items, "float32") * weight)
        return reduced(total, count, ops.sum(weight), self.loss.reduction)

    def _update(self, labels: Any, scores: Any, weights: Any, mask: Any) -> None:
        for metric in self._head_metrics:
            if isinstance(metric, RankingMetric):
                metric.update_state(labels, scores, sample_weight=weights, mask=mask)
            else:
                lists = self._lists(labels, scores, weights, mask)
                flat = [ops.reshape(x, (-1, 1)) for x in (lists.labels, lists.scores)]
                weight = ops.reshape(item_weights(lists), (-1,))
                metric.update_state(*flat, sample_weight=weight)

    def _lists(self, labels: Any, scores: Any, weights: Any, mask: Any) -> Lists:
        return as_lists(labels, scores, weights, mask, where=f"RankingHead '{self.name}'")

    def _check(self, argument: str, value: Any, holds: bool) -> None:
        rules = {
            "regularization_weight": "must be 0 or more",
            "list_dropout": "must be from 0 to below 1",
            "units": "must be None or above 0",
            "members": "must be a positive integer, and 1 where there is no scorer",
        }
        if not holds:
            raise self._bad(argument, rules[argument], value)

    def _bad(self, argument: str, rule: str, value: Any) -> ValueError:
        received = f"{argument}={value!r}"
        where = f"RankingHead '{self.name}'"
        return ValueError(explain(f"`{argument}`", rule=rule, received=received, where=where))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the task."""
        scores = self.scores.get_config()
        names = ("scorer", "units", "kernel_regularizer", "mask_name", "members")
        return {
            **super().get_config(),
            "loss": keras.saving.serialize_keras_object(self.loss),
            "metrics": serialize_all(self._head_metrics),
            "loss_metrics": serialize_all(self._loss_metrics),
            **{name: scores[name] for name in names},
            "regularization_weight": self.regularization_weight,
            "list_dropout": self.list_dropout,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RankingHead:
        """Rebuilds a task from `get_config`."""
        return cls(**deserialize_all(config, ("loss", "metrics", "loss_metrics", "scorer")))
