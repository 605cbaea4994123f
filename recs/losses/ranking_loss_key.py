"""Ranking losses by name."""

from __future__ import annotations

import importlib
from typing import Any

from recs.errors import explain

# The class of each name, in `recs.losses`.
CLASSES = {
    "pairwise_hinge_loss": "PairwiseHingeLoss",
    "pairwise_logistic_loss": "PairwiseLogisticLoss",
    "pairwise_soft_zero_one_loss": "PairwiseSoftZeroOneLoss",
    "pairwise_mse_loss": "PairwiseMSELoss",
    "yeti_logistic_loss": "YetiLogisticLoss",
    "softmax_loss": "SoftmaxLoss",
    "calibrated_softmax_loss": "CalibratedSoftmaxLoss",
    "unique_softmax_loss": "UniqueSoftmaxLoss",
    "sigmoid_cross_entropy_loss": "SigmoidCrossEntropyLoss",
    "mean_squared_loss": "MeanSquaredLoss",
    "ordinal_loss": "OrdinalLoss",
    "list_mle_loss": "ListMLELoss",
    "approx_ndcg_loss": "ApproxNDCGLoss",
    "approx_mrr_loss": "ApproxMRRLoss",
    "gumbel_approx_ndcg_loss": "GumbelApproxNDCGLoss",
    "coupled_rankdistil_loss": "CoupledRankDistilLoss",
    "click_em_loss": "ClickEMLoss",
    "mixture_em_loss": "MixtureEMLoss",
}


class RankingLossKey:
    """The names that `get` takes: TF-Ranking's, and those of the two losses it leaves out.

    Example:
    ```python
    >>> from recs.losses import RankingLossKey
    >>> RankingLossKey.SOFTMAX_LOSS
    'softmax_loss'
    >>> len(RankingLossKey.all_keys())
    18

    ```

    Reference: `tfr.keras.losses.RankingLossKey`.
    """

    PAIRWISE_HINGE_LOSS = "pairwise_hinge_loss"
    PAIRWISE_LOGISTIC_LOSS = "pairwise_logistic_loss"
    PAIRWISE_SOFT_ZERO_ONE_LOSS = "pairwise_soft_zero_one_loss"
    PAIRWISE_MSE_LOSS = "pairwise_mse_loss"
    YETI_LOGISTIC_LOSS = "yeti_logistic_loss"
    SOFTMAX_LOSS = "softmax_loss"
    CALIBRATED_SOFTMAX_LOSS = "calibrated_softmax_loss"
    UNIQUE_SOFTMAX_LOSS = "unique_softmax_loss"
    SIGMOID_CROSS_ENTROPY_LOSS = "sigmoid_cross_entropy_loss"
    MEAN_SQUARED_LOSS = "mean_squared_loss"
    ORDINAL_LOSS = "ordinal_loss"
    LIST_MLE_LOSS = "list_mle_loss"
    APPROX_NDCG_LOSS = "approx_ndcg_loss"
    APPROX_MRR_LOSS = "approx_mrr_loss"
    GUMBEL_APPROX_NDCG_LOSS = "gumbel_approx_ndcg_loss"
    COUPLED_RANKDISTIL_LOSS = "coupled_rankdistil_loss"
    CLICK_EM_LOSS = "click_em_loss"
    MIXTURE_EM_LOSS = "mixture_em_loss"

    @classmethod
    def all_keys(cls) -> list[str]:
        """Returns every name."""
        return list(CLASSES)


def get(
    loss: str,
    reduction: str | None = "auto",
    lambda_weight: Any = None,
    name: str | None = None,
    **kwargs: Any,
) -> Any:
    """Returns the ranking loss of a name.

    Args:
        loss: str, one of `RankingLossKey`.
        reduction: See the losses. Defaults to `"auto"`.
        lambda_weight: See the losses; an error for those that have no use for it, which TF-Ranking
            ignores. Defaults to `None`.
        name: str. Defaults to `None`, which lets Keras choose one.
        **kwargs: Further arguments of the loss.

    Raises:
        ValueError: when there is no loss of that name, or it has no use for the lambda weight.

    Example:
    ```python
    >>> import recs
    >>> loss = recs.losses.get("softmax_loss", temperature=2.0)
    >>> type(loss).__name__, loss.temperature
    ('SoftmaxLoss', 2.0)

    ```

    Reference: `tfr.keras.losses.get`.
    """
    if loss not in CLASSES:
        raise ValueError(
            explain(
                "`loss`",
                rule=f"must be one of {', '.join(CLASSES)}",
                received=loss,
                where="recs.losses.get",
            )
        )
    of_key = getattr(importlib.import_module("recs.losses"), CLASSES[loss])
    if lambda_weight is not None:
        kwargs["lambda_weight"] = lambda_weight
    try:
        return of_key(reduction=reduction, name=name, **kwargs)
    except TypeError as error:
        raise ValueError(
            explain(
                "The arguments",
                rule=f"must be those of {CLASSES[loss]}",
                received=sorted(kwargs),
                where="recs.losses.get",
            )
        ) from error
