"""The cross entropies of an item's grades."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import pointwise
from recs.losses.functional.ranking.lists import Lists, check_outputs, weighed
from recs.losses.ranking_loss import ItemLoss


@keras.saving.register_keras_serializable("recs")
class OrdinalLoss(ItemLoss):
    """The sum over grades of the cross entropy of `label >= grade`.

    `l_i = w_i * sum_k CE(1[y_i >= k], sigmoid(s_ik))` for k from 1 to `ordinal_size`. With
    fractions, a label between k - 1 and k counts for grade k with what it is above k - 1.

    The mean is over items. TF-Ranking divides by batch times list size, padding included, and so
    does `tfr_compatible=True`. Items without weight count in the divisor, padding has no loss.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over items; `"sum"`;
            `"mean_with_sample_weight"`; or `"none"`, for one value an item. Defaults to `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        ordinal_size: int. How many grades above 0 there are. Defaults to `1`.
        use_fraction_label: bool. Whether labels between grades count in part. Defaults to `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels `(batch, list)`, scores `(batch, list, ordinal_size)`, dense or ragged -> a
        float32
    scalar, or without reduction `(batch, list)`.

    Raises:
        ValueError: when scores do not have `ordinal_size` outputs.

    Example:
    ```python
    >>> from recs.losses import OrdinalLoss
    >>> loss = OrdinalLoss(ordinal_size=2)
    >>> round(float(loss([[1.0, 2.0]], [[[0.6, 0.2], [0.8, 0.3]]])), 6)
    1.080541

    ```

    Reference: Yan et al., "Learning to Rank when Grades Matter", 2023;
        `tfr.keras.losses.OrdinalLoss`.
    """

    score_rank = 3

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        ragged: bool = False,
        ordinal_size: int = 1,
        use_fraction_label: bool = False,
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(reduction, name, ragged, tfr_compatible)
        self.ordinal_size = ordinal_size
        self.use_fraction_label = use_fraction_label

    def _values(self, lists: Lists, *, reduce: bool) -> Any:
        check_outputs(lists.scores, self.ordinal_size, f"OrdinalLoss '{self.name}'")
        found = pointwise.ordinal(lists.labels, lists.scores, lists.valid, self.use_fraction_label)
        return weighed(found, lists)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {
            **super().get_config(),
            "ordinal_size": self.ordinal_size,
            "use_fraction_label": self.use_fraction_label,
        }
