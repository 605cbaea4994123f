"""Binary preference."""

from __future__ import annotations

from typing import Any

import keras

from recs.metrics.functional import ranking
from recs.metrics.ranking_metric import CutMetric


@keras.saving.register_keras_serializable("recs")
class BPrefMetric(CutMetric):
    """Binary preference: how rarely irrelevant items rank above relevant ones (label at least 1).

    `1 / R * sum over relevant items of 1 - min(irrelevant above, R) / min(R, N)` with R relevant
    and N irrelevant items in the list. What was not judged is to be left out as padding.

    A list counts with the mean weight of its items, weighted by their relevance; without relevant
    items with the plain mean, and the value 0. A list without items does not count. TF-Ranking, and
    so `tfr_compatible=True`, gives both the mean weight of the batch's other lists, so that the
    result depends on how lists are batched. Items with a weight of 0 or less are treated like
    padding.

    Args:
        name: str. Defaults to `None`, which lets Keras choose one.
        topn: int. How many places count. Defaults to `None`, for all.
        use_trec_version: bool. False divides by R where trec_eval divides by `min(R, N)`. Defaults
            to `True`.
        dtype: The dtype of the metric's state. Defaults to `None`, for Keras's.
        ragged: bool. Without effect: ragged tensors are taken for what they are. Defaults to
            `False`.
        ties: Which of two items with the same score comes first. `"worst"`: the one that counts for
            less, with a lower label or weight, so that a model that scores all alike gets no credit
            for the order of the data. `"position"`: the one that comes first in the list.
            TF-Ranking breaks ties at random. Defaults to `"worst"`.
        tfr_compatible: bool. Weighs lists as TF-Ranking does; see above. Defaults to `False`.

    Shapes: labels and scores `(batch, list)`, dense or ragged -> a float32 scalar; `per_list` gives
    values and weights `(batch,)`.

    Raises:
        ValueError: when `topn` is no positive integer, or `ties` neither of the two.

    Example:
    ```python
    >>> from recs.metrics import BPrefMetric
    >>> metric = BPrefMetric(topn=2)
    >>> round(float(metric([[0.0, 1.0, 1.0]], [[3.0, 1.0, 2.0]])), 6)
    0.0

    ```

    Reference: Buckley and Voorhees, "Retrieval Evaluation with Incomplete Information", 2004; key
        `bpref`
    of `tfr.metrics`.
    """

    def __init__(
        self,
        name: str | None = None,
        topn: int | None = None,
        use_trec_version: bool = True,
        dtype: Any = None,
        ragged: bool = False,
        ties: str = "worst",
        tfr_compatible: bool = False,
    ) -> None:
        super().__init__(name, topn, dtype, ragged, ties, tfr_compatible)
        self.use_trec_version = use_trec_version

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        return {**super().get_config(), "use_trec_version": self.use_trec_version}

    def _of_lists(self, lists: ranking.Judged) -> tuple[Any, Any]:
        return ranking.bpref(lists, self.topn, self.use_trec_version)
