"""Base class of lambda weights, which weigh pairs of items by a metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from recs.errors import explain

Pairs = Callable[[Any, Any], Any]


class LambdaWeight:
    """Base of weights that a ranking loss gives to pairs of items, or to single items.

    A pairwise loss is multiplied, pair by pair, with `lambda_ij`, which depends on labels and on
    the ranks that the scores give; no gradient flows through it. That turns a plain loss into one
    that optimizes a metric (LambdaRank, LambdaLoss).

    A weight of one's own need not be a class: a pairwise loss takes any callable
    `weight(first, second)` as `lambda_weight`. Both arguments have `labels`, `scores` and `ranks`
    (from 1), float32, of shapes that broadcast against each other, since pairs come in tiles;
    `first` is the item with the higher label. Padding is left out of what it returns.

    Subclass this class when terms are to be computed once an item, and to be saved with the loss.

    Shapes: see `prepare` and `items`.

    Example:
    ```python
    >>> from recs.losses import PairwiseLogisticLoss
    >>> def top_heavy(first, second):
    ...     return abs(1 / first.ranks - 1 / second.ranks)
    >>> loss = PairwiseLogisticLoss(lambda_weight=top_heavy)
    >>> round(float(loss([[1.0, 0.0]], [[0.6, 0.8]])), 6)
    0.199535

    ```

    Reference: Wang et al., "The LambdaLoss Framework for Ranking Metric Optimization", 2018.
    """

    # Whether the weight is 0 unless two ranks follow each other: such pairs are few.
    neighbours_only = False

    def prepare(
        self, labels: Any, ranks: Any, valid: Any, *, tfr_compatible: bool = False
    ) -> tuple[Pairs, dict[str, Any]]:
        """Returns a function of two sides of pairs, and terms that it reads from them.

        Args:
            labels: `(batch, list)`, 0 in invalid places.
            ranks: `(batch, list)`, from 1; invalid items come last.
            valid: bool `(batch, list)`.
            tfr_compatible: Whether to do as TF-Ranking does where that depends on padding.

        Returns:
            `pairs(first, second)`, which returns the weights, and a dict of `(batch, list)`
            terms, which `first` and `second` have as attributes beside `labels`, `scores` and
            `ranks`.
        """
        raise NotImplementedError

    def items(self, labels: Any, ranks: Any, valid: Any, *, tfr_compatible: bool = False) -> Any:
        """Returns what takes the labels' place in a loss of single items, `(batch, list)`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the weight."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LambdaWeight:
        """Rebuilds a weight from `get_config`."""
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})


class OfCallable(LambdaWeight):
    """A function of two sides of pairs, as a weight."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def prepare(
        self, labels: Any, ranks: Any, valid: Any, *, tfr_compatible: bool = False
    ) -> tuple[Pairs, dict[str, Any]]:
        """Returns the function."""
        return self.pairs, {}


def of_pairs(weight: Any, where: str) -> LambdaWeight | None:
    """Returns what a pairwise loss uses of its argument `lambda_weight`."""
    if weight is None:
        return None
    if isinstance(weight, LambdaWeight) and type(weight).prepare is not LambdaWeight.prepare:
        return weight
    if not isinstance(weight, LambdaWeight) and callable(weight):
        return OfCallable(weight)
    raise refusal(
        weight, "must weigh pairs", where, "ListMLELambdaWeight is for ListMLELoss alone."
    )


def refusal(weight: Any, rule: str, where: str, remedy: str) -> ValueError:
    """Returns the error of a weight that a loss cannot honour."""
    shown = type(weight).__name__
    return ValueError(
        explain("`lambda_weight`", rule=rule, received=shown, where=where, remedy=remedy)
    )
