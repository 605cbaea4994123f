"""The likelihood of the order of the labels."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional.ranking import listwise
from recs.losses.functional.ranking.lists import Lists, scaled
from recs.losses.lambda_weight import refusal
from recs.losses.list_mle_lambda_weight import ListMLELambdaWeight
from recs.losses.ranking_loss import ListwiseLoss


@keras.saving.register_keras_serializable("recs")
class ListMLELoss(ListwiseLoss):
    """Minus the log-likelihood of the order of the labels, under the Plackett-Luce model.

    `l = sum_k D(k) * (log sum_{m >= k} e^s_m - s_k)` over the list sorted by label, s divided by T;
    D is 1 unless a lambda weight gives it.

    Equal labels: TF-Ranking draws one of their orders at random. Here every order counts, through
    Efron's approximation of the mean: of a group of n equal labels, with sum G of `e^s` over the
    group and R below, the k-th sum (from 0) is `R + G * (n - k) / n`. The loss is deterministic and
    does not depend on the order of the input.

    Padding is left out. TF-Ranking keeps it at the end, which adds `log(m!)` for m places and no
    gradient; weights of one are there not the same as no weights. `tfr_compatible=True` does the
    same, and takes equal labels in the order of the input.

    Weights of items make one of the list, the mean weighted by labels (see
    `functional.ranking.lists.list_weights`).

    The mean is over the lists that have items, those without relevant ones included, with loss 0.
    TF-Ranking counts lists of nothing but padding too, and so does `tfr_compatible=True`.

    Args:
        reduction: `"auto"`, which is `"sum_over_batch_size"`, a mean over lists that have items;
            `"sum"`; `"mean_with_sample_weight"`; or `"none"`, for one value a list. Defaults to
            `"auto"`.
        name: str. Defaults to `None`, which lets Keras choose one.
        lambda_weight: `ListMLELambdaWeight` or `PListMLELambdaWeight`, for D. Defaults to `None`.
        temperature: float above 0. Scores are divided by it: below 1, the best scores count more.
            Defaults to `1.0`.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        tfr_compatible: bool. Does as TF-Ranking does where that differs; see above. Defaults to
            `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar, or without
    reduction `(batch,)`.

    Raises:
        ValueError: when the temperature is not above 0, or a lambda weight does not weigh places.

    Example:
    ```python
    >>> from recs.losses import ListMLELoss
    >>> round(float(ListMLELoss()([[1.0, 2.0, 0.0]], [[0.6, 0.8, 0.4]])), 6)
    1.51004

    ```

    Reference: Xia et al., "Listwise Approach to Learning to Rank", 2008; Efron, "The Efficiency of
    Cox's Likelihood Function for Censored Data", 1977; `tfr.keras.losses.ListMLELoss`.
    """

    def _checked_lambda(self, weight: Any) -> Any:
        if weight is None or self.tfr_compatible or isinstance(weight, ListMLELambdaWeight):
            return weight
        raise refusal(
            weight, "must weigh places", "ListMLELoss", "Use ListMLELambdaWeight, or PairwiseLoss."
        )

    def _of_lists(self, lists: Lists) -> Any:
        places = isinstance(self.lambda_weight, ListMLELambdaWeight)
        return listwise.list_mle(
            lists.labels,
            scaled(lists, self.temperature).scores,
            lists.valid,
            self.lambda_weight.rank_discount_fn if places else None,
            self.tfr_compatible,
        )
