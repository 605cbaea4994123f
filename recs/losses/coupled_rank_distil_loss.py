"""Distillation of a ranking."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.losses.functional.ranking import listwise
from recs.losses.functional.ranking.lists import Lists, scaled
from recs.losses.random_loss import RandomLoss
from recs.losses.ranking_loss import ListwiseLoss


@keras.saving.register_keras_serializable("recs")
class CoupledRankDistilLoss(ListwiseLoss, RandomLoss):
    """Minus the log-likelihood, for a student, of orders drawn from a teacher.

    Labels are the teacher's scores. Orders are drawn by adding Gumbel noise to them; the loss is
    the mean over draws of `sum_{k <= topk} (log sum_{m >= k} e^s_m - s_k)`, s being the student's
    scores divided by T. A list without labels above 0 has loss 0. Random: every call draws anew.

    Padding is left out. TF-Ranking keeps it at the end with score `log(1e-10)`, and orders after a
    floor of 1e-10 on the teacher's softmax, which leaves the order of unlikely items to chance;
    `tfr_compatible=True` does the same.

    Weights of items make one of the list, the mean weighted by labels (see
    `functional.ranking.lists.list_weights`).

    The mean is over the lists that have items, those without relevant ones included, with loss 0.
    TF-Ranking counts lists of nothing but padding too, and so does `tfr_compatible=True`.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over lists that have items;
            `"sum"`; `"mean_with_sample_weight"`; or `"none"`, for one value a list. Defaults to
            `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        sample_size: int. How many orders are drawn a list: more cost more and vary less. Defaults
            to `8`.
        topk: int. How many places of an order count. Defaults to `None`, for all.
        temperature: float above 0. The student's scores are divided by it. Defaults to `1.0`.
        seed: int, or a `keras.random.SeedGenerator`. Every call draws anew. Defaults to `None`, for
            a seed at random; TF-Ranking has a fixed one.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar, or without
    reduction `(batch,)`.

    Raises:
        ValueError: when the temperature is not above 0, or `sample_size` is not a positive integer.

    Example:
    ```python
    >>> from recs.losses import CoupledRankDistilLoss
    >>> loss = CoupledRankDistilLoss(seed=1)
    >>> round(float(loss([[90.0, 10.0]], [[0.6, 0.8]])), 6)
    0.798139

    ```

    Reference: Reddi et al., "RankDistil: Knowledge Distillation for Ranking", 2021;
    `tfr.keras.losses.CoupledRankDistilLoss`.
    """

    def __init__(
        self,
        reduction: str | None = "auto",
        name: str | None = None,
        ragged: bool = False,
        sample_size: int = 8,
        topk: int | None = None,
        temperature: float = 1.0,
        seed: Any = None,
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(reduction, name, None, temperature, ragged, tfr_compatible)
        RandomLoss.__init__(self, sample_size, seed)
        self.topk = topk

    def _of_lists(self, lists: Lists) -> Any:
        found = listwise.coupled_rank_distil(
            lists.labels,
            scaled(lists, self.temperature).scores,
            lists.valid,
            self.noise(lists),
            self.topk,
            self.tfr_compatible,
        )
        relevant = ops.sum(lists.labels, axis=1) > 0
        return ops.where(relevant, found, ops.zeros_like(found))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        config = {**super().get_config(), **self.random_config(), "topk": self.topk}
        del config["lambda_weight"]
        return config
