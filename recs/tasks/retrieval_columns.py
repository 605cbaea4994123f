"""From what a retrieval task is called with, and its kinds of negatives, to rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from recs.errors import explain
from recs.layers.frequency_estimate import FrequencyEstimate
from recs.layers.id_numbers import id_numbers
from recs.layers.negatives import InBatch, Memory, Negatives
from recs.layers.negatives.negatives import Batch
from recs.losses.functional import in_batch
from recs.losses.functional.in_batch_rows import Rows

# Of a mixture a probability may be far smaller than what TFRS clips to: catalogues are large.
SMALLEST = 1e-12


class Columns:
    """The candidates that all queries of a batch are scored against.

    Args:
        kinds: The kinds of negatives.
        estimate: How often ids come, when that is estimated.
        candidates: `(candidates, dim)` of the batch.
        ids: Their ids, or None.
        probability: `(candidates,)` or what broadcasts to it, given by the user, or None.
        encode: From ids to embeddings, or None.
        training: Whether the batch is trained on.
        where: The task, for errors.
    """

    def __init__(
        self,
        kinds: Sequence[Negatives],
        estimate: FrequencyEstimate | None,
        candidates: tf.Tensor,
        ids: Any,
        probability: Any,
        encode: Any,
        training: bool,
        where: str,
    ) -> None:
        self._kinds = kinds
        self._where = where
        self._estimate = estimate
        self._numbers = None if ids is None else id_numbers(ids, where)
        own = self._own_probability(probability, candidates, training)
        self._batch = Batch(
            candidates,
            self._numbers,
            None if estimate is None else estimate.of_numbers,
            own,
            encode,
            where,
        )
        self.in_batch = any(isinstance(kind, InBatch) for kind in kinds)
        self._drawn = [drawn for kind in kinds if (drawn := kind.draw(self._batch)) is not None]
        self._check(own)
        if training:
            for kind in kinds:
                kind.remember(self._batch)

    def _own_probability(self, given: Any, candidates: tf.Tensor, training: bool) -> Any:
        if given is not None:
            return tf.broadcast_to(tf.cast(given, candidates.dtype), tf.shape(candidates)[:1])
        if self._estimate is None:
            return None
        assert self._numbers is not None
        look_up = self._estimate.seen if training else self._estimate.of_numbers
        return tf.stop_gradient(look_up(self._numbers))

    def _check(self, own: Any) -> None:
        """Raises when a probability is given for the batch, and those of others are not known."""
        simple = all(isinstance(kind, InBatch | Memory) for kind in self._kinds)
        if own is None or self._estimate is not None or simple:
            return
        raise ValueError(
            explain(
                "`candidate_sampling_probability`",
                rule="must be left to `sampling_correction` when negatives of the corpus are mixed "
                "in: their ids' probabilities in a batch are needed too",
                received="probabilities of the batch's candidates only",
                where=self._where,
                remedy='Make the task with `sampling_correction="streaming"`.',
            )
        )

    @property
    def own_numbers(self) -> tf.Tensor:
        """The ids of the batch's candidates as int64; they must be there."""
        assert self._numbers is not None
        return self._numbers

    @property
    def embeddings(self) -> tf.Tensor:
        """The negatives, `(columns, dim)`, the batch's first if it is among them."""
        return self._joined(self._batch.embeddings, "embeddings")

    @property
    def numbers(self) -> tf.Tensor | None:
        """Their ids as int64, or None."""
        return None if self._numbers is None else self._joined(self._numbers, "numbers")

    def _joined(self, own: tf.Tensor, name: str) -> tf.Tensor:
        parts = [own] if self.in_batch else []
        parts += [getattr(drawn, name) for drawn in self._drawn]
        if not parts:
            return own[:0]
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=0)

    def compared(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns numbers of the batch's candidates and of the columns, quick to compare."""
        own, columns = self._numbers, self.numbers
        assert own is not None
        assert columns is not None
        if len(self._drawn) == 0 and self.in_batch:
            code = tf.unique(own).idx
            return code, code
        code = tf.unique(tf.concat([own, columns], axis=0)).idx
        return code[: tf.shape(own)[0]], code[tf.shape(own)[0] :]

    def log_probability(self) -> tuple[tf.Tensor, tf.Tensor] | None:
        """Returns the logs for the batch's candidates and for the columns, or None."""
        dtype = self._batch.embeddings.dtype
        own = self._batch.own_probability
        if self._estimate is not None:
            of_own = self._mixture(self._numbers)
            drawn = [self._mixture(one.numbers) for one in self._drawn]
        elif own is not None:
            of_own = in_batch.log_probability(own, dtype.name)
            drawn = [in_batch.log_probability(one.probability, dtype.name) for one in self._drawn]
        else:
            return None
        columns = [of_own, *drawn] if self.in_batch else drawn
        return tf.cast(of_own, dtype), tf.cast(tf.concat(columns, axis=0), dtype)

    def log_probability_of(self, numbers: tf.Tensor) -> tf.Tensor | None:
        """Returns the logs for further ids, or None where they are not known."""
        if self._estimate is None:
            return None
        logs = self._mixture(tf.reshape(numbers, [-1]))
        return tf.reshape(tf.cast(logs, self._batch.embeddings.dtype), tf.shape(numbers))

    def _mixture(self, numbers: tf.Tensor) -> tf.Tensor:
        """Returns the log of ids' probability among all the columns."""
        count = tf.add_n([kind.expected_count(numbers, self._batch) for kind in self._kinds])
        columns = tf.cast(tf.shape(self.embeddings)[0], tf.float32)
        return tf.math.log(tf.maximum(count / tf.maximum(columns, 1.0), SMALLEST))

    def rows(self, queries: tf.Tensor, weight: Any, mask: Any, remove_hits: bool) -> Rows:
        """Returns what the loss is computed from, without explicit negatives and mining."""
        count = tf.shape(queries)[0] if queries.shape[0] is None else queries.shape[0]
        own = self._batch.embeddings[:count]
        numbers = log_probability = None
        if remove_hits:
            of_own, of_columns = self.compared()
            numbers = of_own[:count], of_columns
        logs = self.log_probability()
        if logs is not None:
            log_probability = logs[0][:count], logs[1]
        if weight is not None:
            weight = tf.reshape(tf.cast(weight, queries.dtype), [-1])
        return Rows(
            queries,
            own,
            self.embeddings,
            in_batch=self.in_batch,
            weight=weight,
            numbers=numbers,
            log_probability=log_probability,
            mask=None if mask is None else tf.cast(mask, tf.bool),
        )
