"""Clicks as examination times relevance, by expectation maximization."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import pointwise
from recs.losses.functional.ranking.lists import Lists, check_outputs, weighed
from recs.losses.ranking_loss import ItemLoss


@keras.saving.register_keras_serializable("recs")
class ClickEMLoss(ItemLoss):
    """Clicks explained by examination and relevance, told apart by expectation maximization.

    Scores hold two logits an item, e that it was examined and r that it is relevant; a click needs
    both. The loss is the cross entropy of each with its posterior, which has no gradient: 1 for a
    click (`y >= 1`), else `sigmoid(e - softplus(r))` and `sigmoid(r - softplus(e))`.

    The mean is over items. TF-Ranking divides by batch times list size, padding included, and so
    does `tfr_compatible=True`. Items without weight count in the divisor, padding has no loss.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over items; `"sum"`;
            `"mean_with_sample_weight"`; or `"none"`, for one value an item. Defaults to `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        exam_loss_weight: float. Weight of the examination's part. Defaults to `1.0`.
        rel_loss_weight: float. Weight of the relevance's part. Defaults to `1.0`.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels `(batch, list)`, scores `(batch, list, 2)`, dense or ragged -> a float32
    scalar, or without reduction `(batch, list)`.

    Raises:
        ValueError: when scores do not have two outputs.

    Example:
    ```python
    >>> from recs.losses import ClickEMLoss
    >>> round(float(ClickEMLoss()([[1.0, 0.0]], [[[0.6, 0.9], [0.8, 0.2]]])), 5)
    1.14629

    ```

    Reference: Wang et al., "Position Bias Estimation for Unbiased Learning to Rank in Personal
    Search", 2018; `tfr.keras.losses.ClickEMLoss`.
    """

    score_rank = 3
    mask_scores = False

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        exam_loss_weight: float = 1.0,
        rel_loss_weight: float = 1.0,
        ragged: bool = False,
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(reduction, name, ragged, tfr_compatible)
        self.exam_loss_weight = exam_loss_weight
        self.rel_loss_weight = rel_loss_weight

    def _values(self, lists: Lists, *, reduce: bool) -> Any:
        check_outputs(lists.scores, 2, f"ClickEMLoss '{self.name}'")
        found = pointwise.click_em(
            lists.labels,
            lists.scores,
            lists.valid,
            self.exam_loss_weight,
            self.rel_loss_weight,
        )
        return weighed(found, lists)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {
            **super().get_config(),
            "exam_loss_weight": self.exam_loss_weight,
            "rel_loss_weight": self.rel_loss_weight,
        }
