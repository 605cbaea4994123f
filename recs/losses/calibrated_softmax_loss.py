"""Softmax with an anchor that fixes the scale of scores."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.losses.functional.ranking.lists import Lists
from recs.losses.softmax_loss import SoftmaxLoss


@keras.saving.register_keras_serializable("recs")
class CalibratedSoftmaxLoss(SoftmaxLoss):
    """`SoftmaxLoss` of the list and one more item, whose score is 0.

    The softmax alone does not change when all scores grow by the same; the item with the fixed
    score pins them down, so that they can be read as probabilities or compared between lists. Its
    label is `virtual_label`; weights of items get a 1 for it, weights of lists weigh it too.

    The mean is over the lists that have items, those without relevant ones included, with loss 0.
    TF-Ranking counts lists of nothing but padding too, and so does `tfr_compatible=True`.
    Here a list of padding alone does not get that item; with `tfr_compatible=True` it does.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over lists that have items;
            `"sum"`; `"mean_with_sample_weight"`; or `"none"`, for one value a list. Defaults to
            `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        lambda_weight: `DCGLambdaWeight` or a class made from it: its gain times discount takes the
            label's place. Defaults to `None`.
        temperature: float above 0. Scores are divided by it: below 1, the best scores count more.
            Defaults to `1.0`.
        virtual_label: float, at least 0. The label of the further item. Defaults to `0.0`.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar, or without
    reduction `(batch,)`.

    Raises:
        ValueError: when the temperature is not above 0, the virtual label is below 0, or a lambda
            weight does not weigh items.

    Example:
    ```python
    >>> from recs.losses import CalibratedSoftmaxLoss
    >>> loss = CalibratedSoftmaxLoss(virtual_label=0.1)
    >>> round(float(loss([[1.0, 0.0]], [[0.6, 0.8]])), 6)
    1.180817

    ```

    Reference: Yan et al., "Scale Calibration of Deep Ranking Models", 2022;
    `tfr.keras.losses.CalibratedSoftmaxLoss`.
    """

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        lambda_weight: Any = None,
        temperature: float = 1.0,
        virtual_label: float = 0.0,
        ragged: bool = False,
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(reduction, name, lambda_weight, temperature, ragged, tfr_compatible)
        if not virtual_label >= 0:
            raise ValueError(
                explain(
                    "`virtual_label`",
                    rule="must not be below 0",
                    received=f"virtual_label={virtual_label!r}",
                    where="CalibratedSoftmaxLoss",
                )
            )
        self.virtual_label = virtual_label

    def _of_lists(self, lists: Lists) -> Any:
        return super()._of_lists(self._with_anchor(lists))

    def _with_anchor(self, lists: Lists) -> Lists:
        def longer(x: Any, last: Any) -> Any:
            return ops.concatenate([x, last], axis=1)

        there = ops.any(lists.valid, axis=1, keepdims=True)
        there = ops.ones_like(there) if self.tfr_compatible else there
        label = ops.cast(there, "float32") * self.virtual_label
        weights = lists.weights
        if weights is not None and (weights.shape[1] is None or weights.shape[1] > 1):
            weights = longer(weights, ops.ones_like(weights[:, :1]))
        return dataclasses.replace(
            lists,
            labels=longer(lists.labels, label),
            scores=longer(lists.scores, ops.zeros_like(label)),
            weights=weights,
            valid=longer(lists.valid, there),
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {**super().get_config(), "virtual_label": self.virtual_label}
