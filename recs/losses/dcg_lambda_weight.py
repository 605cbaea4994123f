"""Pairs weighed by what their exchange does to the discounted cumulative gain."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.losses.functional.ranking import gains
from recs.losses.lambda_weight import LambdaWeight, Pairs


@keras.saving.register_keras_serializable("recs")
class DCGLambdaWeight(LambdaWeight):
    """Weighs a pair by the DCG that hangs on it, as LambdaLoss or as LambdaRank has it.

    `lambda_ij = n * |g_i - g_j| * ((1 - f) * u + f * v)` with `f = smooth_fraction`,
    `u = |D(|r_i - r_j|) - D(|r_i - r_j| + 1)|` (LambdaLoss) and `v = |D(r_i) - D(r_j)|`
    (LambdaRank), D being 0 beyond `topn` in v; 0 unless one of the two ranks is within `topn`.

    n is the number of items in the list. TF-Ranking takes the padded size, so that there the loss
    grows with padding; `tfr_compatible=True` in the loss does that too, and computes the best DCG
    with the gain of label 0 for padding.

    Labels above 100 are refused where the gain is `2^y - 1` and is not normalized: sums of such
    gains are no float32.

    In `SoftmaxLoss` gain times discount takes the place of the label.

    Args:
        topn: int. Ranks beyond do not count. Defaults to `None`, for all.
        gain_fn: Function of labels. Defaults to `None`, the label itself.
        rank_discount_fn: D, a function of ranks from 1. Defaults to `None`, `1 / r`.
        normalized: bool. Whether to divide gains by the DCG of the best order. Defaults to
            `False`.
        smooth_fraction: float from 0 to 1, the part of LambdaRank. Defaults to `0.0`.

    Shapes: see `LambdaWeight`.

    Raises:
        ValueError: when `smooth_fraction` is not between 0 and 1.

    Example:
    ```python
    >>> from recs.losses import DCGLambdaWeight, PairwiseLogisticLoss
    >>> loss = PairwiseLogisticLoss(lambda_weight=DCGLambdaWeight())
    >>> round(float(loss([[2.0, 1.0, 0.0]], [[0.3, 0.2, 0.1]])), 6)
    0.843776

    ```

    Reference: Wang et al., "The LambdaLoss Framework", 2018; Burges, "From RankNet to LambdaRank
    to LambdaMART", 2010; `tfr.keras.losses.DCGLambdaWeight`.
    """

    def __init__(
        self,
        topn: int | None = None,
        gain_fn: Any = None,
        rank_discount_fn: Any = None,
        normalized: bool = False,
        smooth_fraction: float = 0.0,
    ) -> None:
        if not 0.0 <= smooth_fraction <= 1.0:
            raise ValueError(
                explain(
                    "`smooth_fraction`",
                    rule="must be between 0 and 1",
                    received=f"smooth_fraction={smooth_fraction!r}",
                    where=type(self).__name__,
                )
            )
        self.topn = topn
        self.gain_fn = gain_fn or gains.identity
        self.rank_discount_fn = rank_discount_fn or gains.inverse
        self.normalized = normalized
        self.smooth_fraction = smooth_fraction

    def prepare(
        self, labels: Any, ranks: Any, valid: Any, *, tfr_compatible: bool = False
    ) -> tuple[Pairs, dict[str, Any]]:
        """Returns the function of pairs and its terms."""
        terms = {"gains": self._scaled_gains(labels, valid, tfr_compatible)}
        steps = relative_discounts(self.rank_discount_fn, ops.shape(labels)[1])
        if self.smooth_fraction > 0:
            discounts = self.rank_discount_fn(ranks)
            if self.topn is not None:
                inside = ranks <= self.topn
                discounts = ops.where(inside, discounts, ops.zeros_like(discounts))
            terms["discounts"] = discounts

        def pairs(first: Any, second: Any) -> Any:
            weight = 0.0
            if self.smooth_fraction < 1:
                weight = (1.0 - self.smooth_fraction) * between(steps, first.ranks, second.ranks)
            if self.smooth_fraction > 0:
                apart = ops.abs(first.discounts - second.discounts)
                weight = weight + self.smooth_fraction * apart
            if self.topn is not None:
                inside = ops.minimum(first.ranks, second.ranks) <= self.topn
                weight = ops.where(inside, weight, ops.zeros_like(weight))
            return weight * ops.abs(first.gains - second.gains)

        return pairs, terms

    def items(self, labels: Any, ranks: Any, valid: Any, *, tfr_compatible: bool = False) -> Any:
        """Returns gain times discount, `(batch, list)`."""
        return self._gains(labels, valid, tfr_compatible) * self.rank_discount_fn(ranks)

    def _gains(self, labels: Any, valid: Any, tfr_compatible: bool) -> Any:
        if not self.normalized:
            return gains.absolute(self.gain_fn, type(self).__name__)(labels)
        gain = gains.relative(self.gain_fn)
        return gain(labels) * gains.inverse_max_dcg(
            labels, valid, gain, self.rank_discount_fn, self.topn, tfr_compatible
        )

    def _scaled_gains(self, labels: Any, valid: Any, tfr_compatible: bool) -> Any:
        """Returns the gains, times the number of items of their list."""
        if tfr_compatible:
            size = ops.cast(ops.shape(labels)[1], "float32")
        else:
            size = ops.sum(ops.cast(valid, "float32"), axis=1, keepdims=True)
        return self._gains(labels, valid, tfr_compatible) * size

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the weight."""
        serialize = keras.saving.serialize_keras_object
        return {
            "topn": self.topn,
            "gain_fn": serialize(self.gain_fn),
            "rank_discount_fn": serialize(self.rank_discount_fn),
            "normalized": self.normalized,
            "smooth_fraction": self.smooth_fraction,
        }


def relative_discounts(discount: Any, size: Any) -> Any:
    """Returns `|D(k) - D(k + 1)|` for k from 0 to the size, 0 for k = 0."""
    gap = ops.arange(size + 1, dtype="float32")
    step = ops.abs(discount(ops.maximum(gap, 1.0)) - discount(gap + 1.0))
    return ops.where(gap > 0, step, ops.zeros_like(step))


def between(table: Any, first: Any, second: Any) -> Any:
    """Returns the table's entry for the distance of two ranks: a look-up costs no logarithm."""
    return ops.take(table, ops.cast(ops.abs(first - second), "int32"), axis=0)
