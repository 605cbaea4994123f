"""The retrieval task."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from recs.layers.id_numbers import id_numbers
from recs.layers.loss import NegativesSchedule
from recs.layers.negatives import InBatch
from recs.losses.functional import in_batch
from recs.losses.functional.in_batch_rows import Rows
from recs.losses.in_batch_softmax import InBatchSoftmax
from recs.losses.retrieval_loss import RetrievalLoss
from recs.metrics.factorized import Factorized
from recs.tasks import retrieval_checks as checks
from recs.tasks.base import Task, as_list, deserialize_all, serialize_all
from recs.tasks.retrieval_columns import Columns


@keras.saving.register_keras_serializable("recs")
class Retrieval(Task):
    """The loss of a two-tower model on a batch, and its metrics.

    Query `i` chose candidate `i`; the other candidates of the batch are its negatives. With
    scores `S_ij = q_i . c_j` (of several heads a query the largest) the default loss is the sum
    over the queries `sum_i w_i * (logsumexp_j(S_ij) - S_ii)`, the in-batch softmax. The steps, in
    this order: divide by the temperature, correct for sampling, remove accidental hits, apply
    `score_mask`, keep the hardest negatives, take the loss.

    Neither scores nor labels of the whole batch are ever held: scores are made, used and
    differentiated a few megabytes at a time, whatever the options, unless a `loss` that is not one
    of `recs.losses`, or `batch_metrics`, need the matrices. In training the gradient is taken on
    the way forward, in three matrix products of the batch's size. It cannot be differentiated
    again.

    Half-precision embeddings are scored in float32. Masking: see `score_mask`; the positive is
    not protected from it. An empty batch has loss 0. Embeddings that are NaN or infinite make the
    loss NaN or infinite, which `keras.callbacks.TerminateOnNaN` sees. Candidates that are in the
    batch twice are two negatives, unless `remove_accidental_hits` takes them for the positive.

    Args:
        loss: One of `recs.losses`, or a `keras.losses.Loss` of one-hot labels and scores,
            `(queries, candidates)` both. Defaults to `None`, which is the sum above.
        metrics: One or several `recs.metrics.Factorized`, over the whole corpus; slow, so leave
            them out in training with `compute_metrics=False`. They see the embeddings, so none
            of the steps above. Defaults to `None`, for none.
        batch_metrics: Keras metrics of labels and scores after all the steps. Scores are summed in
            float64 for them, so that a candidate that is in the batch twice ties with itself on
            every processor. Defaults to `None`, for none.
        loss_metrics: Keras metrics of the loss. Defaults to `None`, for none.
        temperature: float, positive, or `recs.layers.loss.Temperature`, to be learned. Below 1 it
            sharpens the softmax, above it flattens it. Defaults to `None`, which is 1.
        num_hard_negatives: int, or `recs.layers.loss.NegativesSchedule`. How many negatives of a
            row to keep, those with the largest scores, and any that equal the last of them. Zero or
            less keeps all of them. Defaults to `None`, which keeps all.
        remove_accidental_hits: bool. Whether negatives with the positive's own id are taken out;
            `call` then needs `candidate_ids`. Defaults to `False`.
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        negatives: One or several of `recs.layers.negatives`. Defaults to `None`: those of the
            batch.
        sampling_correction: `"streaming"`, or a `recs.layers.FrequencyEstimate`: estimates how
            often each candidate comes while training goes on, and takes it out of the scores;
            `call` then needs `candidate_ids`. Defaults to `None`: what
            `candidate_sampling_probability` says, or no correction.
        normalize: bool. Whether embeddings are divided by their lengths, so that scores are
            cosines; those of the corpus in `metrics` have to be then as well. Defaults to `None`:
            what the `loss` says, else not.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `query_embeddings (queries, dim)` or `(queries, heads, dim)`,
    `candidate_embeddings (candidates, dim)` with at least as many rows as there are queries, the
    rest being extra negatives -> a scalar, float32 (float64 for float64 embeddings).

    Raises:
        ValueError: when an argument is none of the above, when there are fewer candidates than
            queries, when shapes do not fit, or when ids or `encode` are missing.

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
        temperature: Any = None,
        num_hard_negatives: Any = None,
        remove_accidental_hits: bool = False,
        name: str | None = None,
        *,
        negatives: Any = None,
        sampling_correction: Any = None,
        normalize: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        checks.check_temperature(temperature, self._where)
        checks.check_mining(num_hard_negatives, self._where)
        self._loss = loss
        # What a loss learns is a weight of the task: Keras looks for none in losses.
        self._loss_temperature = getattr(loss, "temperature", None)
        self._factorized_metrics = as_list(metrics)
        self._batch_metrics = as_list(batch_metrics)
        self._loss_metrics = as_list(loss_metrics)
        self._temperature = temperature
        self._num_hard_negatives = num_hard_negatives
        self._remove_accidental_hits = remove_accidental_hits
        self._given_negatives = negatives is not None
        self._negatives = [InBatch()] if negatives is None else as_list(negatives)
        checks.check_negatives(self._negatives, self._where)
        self._estimate = checks.as_estimate(sampling_correction, self._where)
        self._given_normalize = normalize
        asked = getattr(loss, "normalize", False) if normalize is None else normalize
        self._normalize = bool(asked)
        # Loops over chunks of rows are not for XLA, which wants every size known.
        self.supports_jit = False

    @property
    def _where(self) -> str:
        return f"Retrieval '{self.name}'"

    @property
    def factorized_metrics(self) -> list[Factorized]:
        """The metrics over the whole corpus; may be set to one, to several or to None."""
        return list(self._factorized_metrics)

    @factorized_metrics.setter
    def factorized_metrics(self, value: Sequence[Factorized] | Factorized | None) -> None:
        # The list Keras tracks has to be changed in place, or the old metrics stay in the logs.
        self._factorized_metrics.clear()
        self._factorized_metrics.extend(as_list(value))

    @property
    def sums_examples(self) -> bool:
        """Whether the loss is a sum over the rows of a batch rather than a mean."""
        return self._loss is None or self._loss.reduction in ("sum", None, "none")

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
        encode: Any = None,
        negative_embeddings: Any = None,
        negative_ids: Any = None,
        negative_probability: Any = None,
        training: bool | None = None,
    ) -> Any:
        """Returns the loss and updates the metrics.

        Args:
            query_embeddings: `(queries, dim)`, or `(queries, heads, dim)`, for which the corpus
                metrics are not computed.
            candidate_embeddings: `(candidates, dim)`; row `i` is what query `i` chose.
            sample_weight: `(queries,)`. Defaults to `None`, which weighs all alike.
            candidate_sampling_probability: `(candidates,)`. Subtracts `log(p)`, clipped to
                `[1e-6, 1]`, from every column. Defaults to `None`, for no correction, or that of
                `sampling_correction`.
            candidate_ids: `(candidates,)` integers or strings, for accidental hits and sampling
                correction, and makes the corpus metrics compare ids instead of scores. Defaults to
                `None`.
            compute_metrics: bool. Whether to update `metrics`. Defaults to `True`.
            compute_batch_metrics: bool. Whether to update `batch_metrics`. Defaults to `True`.
            score_mask: bool `(queries, candidates)`. False takes a candidate out of the loss and
                the batch metrics of a query. Defaults to `None`, which keeps all.
            encode: From ids `(n,)` to embeddings `(n, dim)`, such as the candidate tower; needed
                by negatives that are drawn from a corpus. Defaults to `None`.
            negative_embeddings: `(queries, each, dim)`, negatives of each query's own, such as
                items it was shown and did not choose. They are always kept by mining. Defaults to
                `None`.
            negative_ids: `(queries, each)`. With `remove_accidental_hits` those that are the
                positive are taken out, which also serves as padding; and with
                `sampling_correction` they say how likely each is. Defaults to `None`.
            negative_probability: `(queries, each)`. Subtracts `log(p)` from their scores. Defaults
                to `None`: with a correction that of their ids among the other negatives, and
                without ids the mean of these.
            training: bool. Whether estimates, memories and schedules take note of the batch, and
                the gradient is taken on the way forward. Defaults to `None`: as in the call that
                this one is part of; in a loop of your own, pass it.
        """
        queries = in_batch.in_full_precision(query_embeddings)
        candidates = in_batch.in_full_precision(candidate_embeddings)
        ids = candidate_ids
        checks.check_call(queries, candidates, ids, sample_weight, self._needs_ids, self._where)
        if ids is not None:
            ids = ops.reshape(ids, (-1,))
        explicit = negative_embeddings
        explicit = None if explicit is None else in_batch.in_full_precision(explicit)
        if self._normalize:
            queries, candidates, explicit = map(_normalized, (queries, candidates, explicit))
        encoded = encode
        if encode is not None and self._normalize:
            encoded = lambda some: _normalized(in_batch.in_full_precision(encode(some)))  # noqa: E731
        columns = Columns(
            self._negatives, self._estimate, candidates, ids, candidate_sampling_probability,
            encoded, bool(training), self._where,
        )  # fmt: skip
        rows = columns.rows(
            self._tempered(queries), sample_weight, score_mask, self._remove_accidental_hits
        )
        rows = self._with_explicit(rows, columns, explicit, negative_ids, negative_probability)
        rows = dataclasses.replace(rows, hardest=self._mined(rows, training))
        batch_metrics = self._batch_metrics if compute_batch_metrics else []
        loss = self._loss_of(rows, batch_metrics, bool(training))
        for metric in self._loss_metrics:
            metric.update_state(loss)
        if compute_metrics and len(queries.shape) == 2:
            self._update_factorized(queries, candidates, ids, sample_weight)
        return loss

    @property
    def _needs_ids(self) -> str:
        """Returns what needs the candidates' ids, in words; nothing when nothing does."""
        if self._remove_accidental_hits:
            return "`remove_accidental_hits` is True"
        return "`sampling_correction` is set" if self._estimate is not None else ""

    def _tempered(self, queries: Any) -> Any:
        """Returns queries divided by the temperatures of the task and of its loss."""
        of_loss = self._loss if isinstance(self._loss, RetrievalLoss) else None
        if isinstance(self._temperature, keras.layers.Layer):
            queries = self._temperature(queries)
        elif self._temperature is not None:
            queries = queries / self._temperature
        return queries if of_loss is None else of_loss.tempered(queries)

    def _mined(self, rows: Rows, training: bool | None) -> Any:
        """Returns how many negatives to keep, or None for all of them."""
        number = self._num_hard_negatives
        if isinstance(number, NegativesSchedule):
            available = tf.shape(rows.negatives)[0] - (1 if rows.in_batch else 0)
            return number(available, training=training)
        return number if number is not None and number > 0 else None

    def _with_explicit(
        self, rows: Rows, columns: Columns, explicit: Any, ids: Any, probability: Any
    ) -> Rows:
        """Returns rows with the negatives that each has of its own."""
        if explicit is None:
            return rows
        shape = tf.shape(explicit)[:2]
        numbers = None if ids is None else tf.reshape(id_numbers(ids, self._where), shape)
        hits = None
        if numbers is not None and self._remove_accidental_hits:
            hits = numbers == columns.own_numbers[: shape[0], tf.newaxis]
        if probability is not None and rows.log_probability is None:
            nothing = [tf.zeros_like(x[:, 0]) for x in (rows.own, rows.negatives)]
            rows = dataclasses.replace(rows, log_probability=tuple(nothing))
        logs = None
        if probability is not None:
            logs = in_batch.log_probability(probability, rows.queries.dtype.name)
        elif rows.log_probability is not None:
            logs = None if numbers is None else columns.log_probability_of(numbers)
            if logs is None:
                logs = tf.fill(shape, tf.reduce_mean(rows.log_probability[1]))
        return dataclasses.replace(
            rows, explicit=explicit, explicit_hits=hits, explicit_log_probability=logs
        )

    def _loss_of(self, rows: Rows, batch_metrics: Sequence[Any], training: bool) -> Any:
        """Returns the loss; only metrics of the batch and foreign losses need whole matrices."""
        own = self._loss is None or isinstance(self._loss, RetrievalLoss)
        if not own or batch_metrics:
            labels, logits = rows.matrices(exact=bool(batch_metrics))
            for metric in batch_metrics:
                metric.update_state(labels, logits, sample_weight=rows.weight)
            if not own:
                return self._loss(y_true=labels, y_pred=logits, sample_weight=rows.weight)
        if self._loss is None or type(self._loss) is InBatchSoftmax:
            total = rows.softmax(training)
        else:
            total = rows.sum_of(self._loss.rows, training)
        return total if self._loss is None else _reduced(total, rows, self._loss)

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

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the task."""
        return {
            **super().get_config(),
            "loss": _serialized(self._loss),
            "metrics": serialize_all(self._factorized_metrics),
            "batch_metrics": serialize_all(self._batch_metrics),
            "loss_metrics": serialize_all(self._loss_metrics),
            "temperature": _serialized(self._temperature),
            "num_hard_negatives": _serialized(self._num_hard_negatives),
            "remove_accidental_hits": self._remove_accidental_hits,
            "negatives": serialize_all(self._negatives) if self._given_negatives else None,
            "sampling_correction": _serialized(self._estimate),
            "normalize": self._given_normalize,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Retrieval:
        """Rebuilds a task from `get_config`."""
        names = ["loss", "metrics", "batch_metrics", "loss_metrics", "negatives"]
        layers = ("temperature", "num_hard_negatives", "sampling_correction")
        names += [name for name in layers if isinstance(config.get(name), dict)]
        return cls(**deserialize_all(config, names))


def _normalized(embeddings: Any) -> Any:
    return None if embeddings is None else ops.normalize(embeddings, axis=-1)


def _serialized(value: Any) -> Any:
    """Returns the configuration of a Keras object, and plain values as they are."""
    if value is None or isinstance(value, int | float):
        return value
    return keras.saving.serialize_keras_object(value)


def _reduced(total: Any, rows: Rows, loss: RetrievalLoss) -> Any:
    """Returns the sum over the rows as the loss's reduction has it."""
    if loss.reduction in ("sum", None, "none"):
        return total
    by_weight = loss.reduction == "mean_with_sample_weight" and rows.weight is not None
    count = ops.sum(rows.weight) if by_weight else ops.cast(ops.shape(rows.queries)[0], total.dtype)
    return total / ops.where(count > 0, count, ops.ones_like(count))
