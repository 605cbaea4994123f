"""The retrieval task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.loss import HardNegativeMining, RemoveAccidentalHits
from recs.losses.functional import in_batch
from recs.metrics.factorized import Factorized
from recs.tasks.base import Task, as_list, deserialize_all, serialize_all


@keras.saving.register_keras_serializable("recs")
class Retrieval(Task):
    """The in-batch softmax loss of a two-tower model, and its metrics.

    Query `i` chose candidate `i`; the other candidates of the batch are its negatives. With
    scores `S_ij = q_i . c_j` (of several heads a query the largest) the default loss is the sum
    over the queries `sum_i w_i * (logsumexp_j(S_ij) - S_ii)`. It is computed as written: no
    `[batch, batch]` label matrix exists unless a `loss` or `batch_metrics` are given, which need
    one. The steps, in this order: divide by the temperature, correct for sampling, remove
    accidental hits, apply `score_mask`, keep the hardest negatives, take the loss.

    Half-precision embeddings are scored in float32. Masking: see `score_mask`; the positive is
    not protected from it. An empty batch has loss 0.

    Args:
        loss: `keras.losses.Loss` of one-hot labels and scores, `(queries, candidates)` both.
            Defaults to `None`, which is the sum above.
        metrics: One or several `recs.metrics.Factorized`, over the whole corpus; slow, so leave
            them out in training with `compute_metrics=False`. They see the embeddings, so none
            of the steps above. Defaults to `None`, for none.
        batch_metrics: Keras metrics of labels and scores after all the steps. Defaults to
            `None`, for none.
        loss_metrics: Keras metrics of the loss. Defaults to `None`, for none.
        temperature: float, positive. Below 1 it sharpens the softmax, above it flattens it.
            Defaults to `None`, which is 1.
        num_hard_negatives: int. How many negatives of a row to keep, those with the largest
            scores. Zero or less keeps all of them. Defaults to `None`, which keeps all.
        remove_accidental_hits: bool. Whether negatives with the positive's own id are taken out;
            `call` then needs `candidate_ids`. Defaults to `False`.
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `query_embeddings (queries, dim)` or `(queries, heads, dim)`,
    `candidate_embeddings (candidates, dim)` with at least as many rows as there are queries, the
    rest being extra negatives -> a scalar, float32 (float64 for float64 embeddings).

    Raises:
        ValueError: when `temperature` is not positive, when there are fewer candidates than
            queries, or when ids are missing.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.tasks import Retrieval
    >>> queries = np.array([[1.0, 0.0], [0.0, 1.0]], "float32")
    >>> round(float(Retrieval()(queries, queries)), 4)
    0.6265

    ```

    Reference: `tfrs.tasks.Retrieval`. Repaired here: the setter of `factorized_metrics` keeps a
    lone metric; extra negatives with `candidate_ids` work with metrics; a `num_hard_negatives` of
    zero or less keeps all, as its documentation says; `get_config` gives back every argument.
    """

    def __init__(
        self,
        loss: Any = None,
        metrics: Sequence[Factorized] | Factorized | None = None,
        batch_metrics: Sequence[keras.Metric] | keras.Metric | None = None,
        loss_metrics: Sequence[keras.Metric] | keras.Metric | None = None,
        temperature: float | None = None,
        num_hard_negatives: int | None = None,
        remove_accidental_hits: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if temperature is not None and not temperature > 0:
            raise ValueError(
                explain(
                    "`temperature`",
                    rule="must be positive",
                    received=f"temperature={temperature!r}",
                    where=f"Retrieval '{self.name}'",
                )
            )
        self._loss = loss
        self._factorized_metrics = as_list(metrics)
        self._batch_metrics = as_list(batch_metrics)
        self._loss_metrics = as_list(loss_metrics)
        self._temperature = temperature
        self._num_hard_negatives = num_hard_negatives
        self._remove_accidental_hits = remove_accidental_hits
        self._mining = HardNegativeMining(num_hard_negatives or 0)

    @property
    def factorized_metrics(self) -> list[Factorized]:
        """The metrics over the whole corpus; may be set to one, to several or to None."""
        return list(self._factorized_metrics)

    @factorized_metrics.setter
    def factorized_metrics(self, value: Sequence[Factorized] | Factorized | None) -> None:
        # The list Keras tracks has to be changed in place, or the old metrics stay in the logs.
        self._factorized_metrics.clear()
        self._factorized_metrics.extend(as_list(value))

    def call(
        self,
        query_embeddings: Any,
        candidate_embeddings: Any,
        sample_weight: Any = None,
        candidate_sampling_probability: Any = None,
        candidate_ids: Any = None,
        compute_metrics: bool = True,
        compute_batch_metrics: bool = True,
        score_mask: Any = None,
    ) -> Any:
        """Returns the loss and updates the metrics.

        Args:
            query_embeddings: `(queries, dim)`, or `(queries, heads, dim)`, for which the corpus
                metrics are not computed.
            candidate_embeddings: `(candidates, dim)`; row `i` is what query `i` chose.
            sample_weight: `(queries,)`. Defaults to `None`, which weighs all alike.
            candidate_sampling_probability: `(candidates,)`. Subtracts `log(p)`, clipped to
                `[1e-6, 1]`, from every column. Defaults to `None`, for no correction.
            candidate_ids: `(candidates,)`, for accidental hits, and makes the corpus metrics
                compare ids instead of scores. Defaults to `None`.
            compute_metrics: bool. Whether to update `metrics`. Defaults to `True`.
            compute_batch_metrics: bool. Whether to update `batch_metrics`. Defaults to `True`.
            score_mask: bool `(queries, candidates)`. False takes a candidate out of the loss and
                the batch metrics of a query. Defaults to `None`, which keeps all.
        """
        queries = in_batch.in_full_precision(query_embeddings)
        candidates = in_batch.in_full_precision(candidate_embeddings)
        self._check(queries, candidates, candidate_ids)
        if candidate_ids is not None:
            candidate_ids = ops.reshape(candidate_ids, (-1,))
        probability = candidate_sampling_probability
        batch_metrics = self._batch_metrics if compute_batch_metrics else []
        if self._loss is None and not batch_metrics:
            loss = self._sum_loss(
                queries, candidates, sample_weight, probability, candidate_ids, score_mask
            )
        else:
            labels, logits = self._with_labels(
                queries, candidates, probability, candidate_ids, score_mask
            )
            loss = self._loss_of(labels, logits, sample_weight)
            for metric in batch_metrics:
                metric.update_state(labels, logits, sample_weight=sample_weight)
        for metric in self._loss_metrics:
            metric.update_state(loss)
        if compute_metrics and len(queries.shape) == 2:
            self._update_factorized(queries, candidates, candidate_ids, sample_weight)
        return loss

    def _sum_loss(
        self, queries: Any, candidates: Any, weight: Any, probability: Any, ids: Any, mask: Any
    ) -> Any:
        """Returns the default loss, whose positives are picked out without a label matrix."""
        logits = in_batch.scores(queries, candidates)
        positive = in_batch.own_scores(queries, candidates)
        # The diagonal's gradient would be one more matrix. The value is the diagonal's, so that
        # the loss is never negative by rounding; the gradient takes the short way.
        positive = positive + ops.stop_gradient(ops.diagonal(logits) - positive)
        logits, positive = self._scaled(logits, probability, positive)
        low = _low(logits)
        if self._remove_accidental_hits:
            logits = ops.where(in_batch.same_id(ids, ops.shape(queries)[0]), low, logits)
        if mask is not None:
            logits = ops.where(mask, logits, low)
            positive = ops.where(ops.diagonal(mask), positive, low)
        mined = self._num_hard_negatives or 0
        if mined > 0:
            logits = in_batch.hardest_negatives(logits, mined)
        if mined > 0 or self._remove_accidental_hits:
            # Both took the positive out of its row.
            logits = ops.concatenate([ops.expand_dims(positive, 1), logits], axis=1)
        return in_batch.softmax_loss(positive, logits, weight)

    def _scaled(self, logits: Any, probability: Any, positive: Any) -> tuple[Any, Any]:
        """Returns logits and positives after temperature and sampling correction."""
        if self._temperature is not None:
            logits, positive = logits / self._temperature, positive / self._temperature
        if probability is not None:
            log_p = in_batch.log_probability(probability, logits.dtype)
            log_p = ops.broadcast_to(log_p, ops.shape(logits))
            logits, positive = logits - log_p, positive - ops.diagonal(log_p)
        return logits, positive

    def _with_labels(
        self, queries: Any, candidates: Any, probability: Any, ids: Any, mask: Any
    ) -> tuple[Any, Any]:
        """Returns one-hot labels and logits after all the steps."""
        logits = in_batch.scores(queries, candidates)
        columns = ops.shape(logits)[1]
        labels = ops.one_hot(ops.arange(ops.shape(logits)[0]), columns, dtype=logits.dtype)
        logits, _ = self._scaled(logits, probability, ops.diagonal(logits))
        if self._remove_accidental_hits:
            logits = RemoveAccidentalHits()(labels, logits, ids)
        if mask is not None:
            logits = ops.where(mask, logits, _low(logits))
        logits, labels = self._mining(logits, labels)
        return labels, logits

    def _loss_of(self, labels: Any, logits: Any, weight: Any) -> Any:
        """Returns the user's loss, or the default one of logits that were mined already."""
        if self._loss is not None:
            return self._loss(y_true=labels, y_pred=logits, sample_weight=weight)
        positive = ops.sum(labels * logits, axis=1)
        return in_batch.softmax_loss(positive, logits, weight)

    def _update_factorized(self, queries: Any, candidates: Any, ids: Any, weight: Any) -> None:
        """Updates the corpus metrics with each query's own candidate, extra negatives left out."""
        count = ops.shape(queries)[0]
        for metric in self._factorized_metrics:
            metric.update_state(
                queries,
                candidates[:count],
                true_candidate_ids=None if ids is None else ids[:count],
                sample_weight=weight,
            )

    def _check(self, queries: Any, candidates: Any, ids: Any) -> None:
        """Raises when ids are missing or candidates are too few, where shapes are known."""
        where = f"Retrieval '{self.name}'"
        if self._remove_accidental_hits and ids is None:
            raise ValueError(
                explain(
                    "`candidate_ids`",
                    rule="must be given when `remove_accidental_hits` is True",
                    received="candidate_ids=None",
                    where=where,
                    remedy="Pass the ids of the candidates to the call.",
                )
            )
        rows, columns = queries.shape[0], candidates.shape[0]
        if rows is not None and columns is not None and columns < rows:
            raise ValueError(
                explain(
                    "`candidate_embeddings`",
                    rule="must have a row for every query",
                    received=f"queries of shape {tuple(queries.shape)}, "
                    f"candidates of shape {tuple(candidates.shape)}",
                    where=where,
                )
            )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the task."""
        loss = self._loss
        return {
            **super().get_config(),
            "loss": None if loss is None else keras.saving.serialize_keras_object(loss),
            "metrics": serialize_all(self._factorized_metrics),
            "batch_metrics": serialize_all(self._batch_metrics),
            "loss_metrics": serialize_all(self._loss_metrics),
            "temperature": self._temperature,
            "num_hard_negatives": self._num_hard_negatives,
            "remove_accidental_hits": self._remove_accidental_hits,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Retrieval:
        """Rebuilds a task from `get_config`."""
        names = ("loss", "metrics", "batch_metrics", "loss_metrics")
        return cls(**deserialize_all(config, names))


def _low(logits: Any) -> Any:
    """Returns the score that stands for "not a candidate", in the logits' dtype."""
    dtype = keras.backend.standardize_dtype(logits.dtype)
    return ops.cast(in_batch.large_negative(dtype), dtype)
