"""Computes the losses of a batch's rows in chunks."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from recs.layers.loss.hard_negative_mining import HardNegativeMining
from recs.losses.functional import in_batch
from recs.losses.functional.chunks import sum_over_chunks
from recs.losses.functional.hardest import at_least
from recs.losses.functional.score_sums import are_moderate, log_sum_exp
from recs.ops.library import suits_tensors
from recs.ops.softmax import softmax_loss

# From positives `(rows,)`, negatives `(rows, columns)`, which of them count, and the logs of the
# probabilities of both, or None: the loss of each row.
RowLoss = Callable[..., tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Rows:
    """A batch of queries with their own candidates, and the negatives that all of them share.

    Attributes:
        queries: `(rows, dim)` or `(rows, heads, dim)`, divided by the temperature.
        own: `(rows, dim)`, what each query chose.
        negatives: `(columns, dim)`.
        in_batch: Whether `negatives` begin with `own`.
        weight: `(rows,)`, or None.
        numbers: `(rows,)` and `(columns,)`: a negative with the number of a row's own candidate is
            none; None takes only the own column out.
        log_probability: `(rows,)` and `(columns,)`, or None for no correction.
        mask: bool `(rows, columns of the batch)`, or None.
        explicit: `(rows, each, dim)` negatives of each row, or None.
        explicit_hits: bool `(rows, each)`, which of them are the row's own candidate, or None.
        explicit_log_probability: `(rows, each)`, or None.
        hardest: How many of the shared negatives to keep, or None.
    """

    queries: tf.Tensor
    own: tf.Tensor
    negatives: tf.Tensor
    in_batch: bool = True
    weight: tf.Tensor | None = None
    numbers: tuple[tf.Tensor, tf.Tensor] | None = None
    log_probability: tuple[tf.Tensor, tf.Tensor] | None = None
    mask: tf.Tensor | None = None
    explicit: tf.Tensor | None = None
    explicit_hits: tf.Tensor | None = None
    explicit_log_probability: tf.Tensor | None = None
    hardest: Any = None

    def softmax(self, with_gradient: bool) -> tf.Tensor:
        """Returns `sum_i w_i * (log(e^p_i + sum_j e^n_ij) - p_i)`, all corrected by `-log q`."""
        if self._suits_one_op():
            return self._softmax_in_one_op(with_gradient)
        if len(self.queries.shape) == 3:
            return self.sum_of(_softmax_of_scores, with_gradient)
        queries, own, negatives = self.queries, self.own, self.negatives
        if self.log_probability is not None:
            # One more dimension: the product then has `-log q` in it, and its gradient too.
            queries = tf.concat([queries, tf.ones_like(queries[:, :1])], axis=1)
            own = tf.concat([own, -self.log_probability[0][:, tf.newaxis]], axis=1)
            negatives = tf.concat([negatives, -self.log_probability[1][:, tf.newaxis]], axis=1)
        with_own = dataclasses.replace(self, queries=queries, own=own, negatives=negatives)
        moderate = are_moderate(queries, negatives)
        return with_own._sum(_softmax_chunk, with_gradient, {"moderate": moderate})

    def _suits_one_op(self) -> bool:
        further = (self.mask, self.explicit, self.hardest)
        plain = len(self.queries.shape) == 2 and all(one is None for one in further)
        return plain and self.queries.dtype == tf.float32 and suits_tensors()

    def _softmax_in_one_op(self, with_gradient: bool) -> tf.Tensor:
        bias = None if self.log_probability is None else -self.log_probability[1]
        return softmax_loss(
            self.queries,
            self.negatives,
            bias=bias,
            weight=self.weight,
            positive=self._positive(),
            numbers=self.numbers,
            without_diagonal=self.in_batch,
            with_gradient=with_gradient,
        )

    def sum_of(self, loss: RowLoss, with_gradient: bool) -> tf.Tensor:
        """Returns `sum_i w_i * loss_i` of a loss of scores.

        Args:
            loss: Of positives, negatives, mask, and both log probabilities.
            with_gradient: Whether the gradient is going to be asked for.
        """
        return self._sum(functools.partial(_scores_chunk, loss), with_gradient, {})

    def matrices(self, exact: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns one-hot labels and logits after all the steps, of the whole batch.

        Args:
            exact: Whether scores are summed in float64 and then rounded, so that equal candidates
                have equal scores whatever the processor, as metrics need. Defaults to `False`.
        """
        if exact:
            wide = [tf.cast(x, tf.float64) for x in (self.queries, self.own, self.negatives)]
            more = None if self.explicit is None else tf.cast(self.explicit, tf.float64)
            rows = dict(zip(("queries", "own", "negatives"), wide, strict=True), explicit=more)
            return dataclasses.replace(self, **rows)._matrices(self.queries.dtype)
        return self._matrices(self.queries.dtype)

    def _matrices(self, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns labels and logits of a dtype, to which the scores are rounded first."""
        of_rows, of_all = self._parts({})
        part = {**of_rows, **of_all}
        logits = tf.cast(in_batch.scores(self.queries, self.negatives), dtype)
        if self.log_probability is not None:
            logits = logits - self.log_probability[1]
        labels = tf.zeros_like(logits)
        if self.in_batch:
            labels = tf.one_hot(
                tf.range(tf.shape(logits)[0]), tf.shape(logits)[1], dtype=logits.dtype
            )
        kept = _kept(part, logits, 0, self.in_batch, None)
        low = tf.cast(in_batch.large_negative(logits.dtype.name), logits.dtype)
        stays = labels > 0 if self.mask is None else (labels > 0) & _all_columns(self.mask, logits)
        logits = logits if kept is None else tf.where(kept | stays, logits, low)
        if not self.in_batch:
            positive = self._positive(dtype)[:, tf.newaxis]
            logits = tf.concat([positive, logits], axis=1)
            labels = tf.concat([tf.ones_like(positive), labels], axis=1)
        logits, labels = self._mined(logits, labels, low)
        if self.explicit is None:
            return labels, logits
        scores, kept = _explicit_scores(part)
        scores = tf.cast(scores, dtype)
        if self.explicit_log_probability is not None:
            scores = scores - self.explicit_log_probability
        scores = scores if kept is None else tf.where(kept, scores, low)
        labels = tf.concat([labels, tf.zeros_like(scores)], axis=1)
        return labels, tf.concat([logits, scores], axis=1)

    def _positive(self, dtype: tf.DType | None = None) -> tf.Tensor:
        positive = in_batch.own_scores(self.queries, self.own)
        positive = positive if dtype is None else tf.cast(positive, dtype)
        return positive if self.log_probability is None else positive - self.log_probability[0]

    def _mined(
        self, logits: tf.Tensor, labels: tf.Tensor, low: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if self.hardest is None:
            return logits, labels
        if isinstance(self.hardest, int):
            mined: tuple[tf.Tensor, tf.Tensor] = HardNegativeMining(self.hardest)(logits, labels)
            return mined
        hardest = at_least(logits, labels == 0, self.hardest)
        return tf.where(hardest | (labels > 0), logits, low), labels

    def _parts(self, more: dict[str, Any]) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Returns what is divided into chunks and what is not, by name."""
        of_rows = {
            "queries": self.queries, "own": self.own, "weight": self.weight, "mask": self.mask,
            "explicit": self.explicit, "explicit_hits": self.explicit_hits,
            "explicit_log_probability": self.explicit_log_probability,
        }  # fmt: skip
        of_all = {"negatives": self.negatives, **more}
        if self.numbers is not None:
            of_rows["own_number"], of_all["numbers"] = self.numbers
        if self.log_probability is not None:
            of_rows["own_log_probability"], of_all["log_probability"] = self.log_probability
        return {name: value for name, value in of_rows.items() if value is not None}, of_all

    def _sum(self, chunk: Any, with_gradient: bool, more: dict[str, Any]) -> tf.Tensor:
        of_rows, of_all = self._parts(more)
        heads = self.queries.shape[1] if len(self.queries.shape) == 3 else 1
        columns = self.negatives.shape[0]
        columns = tf.shape(self.negatives)[0] if columns is None else columns

        def loss(rows: Sequence[tf.Tensor], shared: Sequence[tf.Tensor], first: Any) -> tf.Tensor:
            part = dict(zip(of_rows, rows, strict=True)) | dict(zip(of_all, shared, strict=True))
            found = chunk(part, first, self.in_batch, self.hardest)
            return tf.reduce_sum(found * part["weight"] if "weight" in part else found)

        values = list(of_rows.values()), list(of_all.values())
        return sum_over_chunks(loss, *values, columns * (heads or 1), with_gradient)


def _softmax_chunk(part: dict[str, Any], first: Any, in_batch_: bool, hardest: Any) -> tf.Tensor:
    """Returns the losses of a chunk, by way of the exponentials alone."""
    queries, own = part["queries"], part["own"]
    positive = tf.reduce_sum(queries * own, axis=1)
    low = in_batch.large_negative(queries.dtype.name)

    def keep(scores: tf.Tensor) -> tf.Tensor | None:
        return _kept(part, scores, first, in_batch_, hardest)

    total = log_sum_exp(queries, part["negatives"], keep, part["moderate"], low)
    if "mask" in part:
        positive = tf.where(_of_own(part["mask"], first), positive, low)
    if "explicit" in part:
        scores, kept = _explicit_scores(part)
        if "explicit_log_probability" in part:
            scores = scores - part["explicit_log_probability"]
        scores = scores if kept is None else tf.where(kept, scores, tf.cast(low, scores.dtype))
        total = tf.reduce_logsumexp(tf.concat([total[:, tf.newaxis], scores], axis=1), axis=1)
    return tf.nn.softplus(total - positive)


def _scores_chunk(
    loss: RowLoss, part: dict[str, Any], first: Any, in_batch_: bool, hardest: Any
) -> tf.Tensor:
    """Returns the losses of a chunk, from its scores."""
    queries, own = part["queries"], part["own"]
    scores = in_batch.scores(queries, part["negatives"])
    positive = in_batch.own_scores(queries, own)
    of_columns, of_own = part.get("log_probability"), part.get("own_log_probability")
    corrected = scores if of_columns is None else scores - of_columns
    kept = _kept(part, corrected, first, in_batch_, hardest)
    if kept is None:
        kept = tf.ones_like(scores, tf.bool)
    if of_columns is not None:
        of_columns = tf.broadcast_to(of_columns, tf.shape(scores))
    if "mask" in part:
        low = tf.cast(in_batch.large_negative(scores.dtype.name), scores.dtype)
        positive = tf.where(_of_own(part["mask"], first), positive, low)
    if "explicit" in part:
        more, more_kept = _explicit_scores(part)
        more_kept = tf.ones_like(more, tf.bool) if more_kept is None else more_kept
        scores, kept = tf.concat([scores, more], 1), tf.concat([kept, more_kept], 1)
        if of_columns is not None:
            of_columns = tf.concat([of_columns, part["explicit_log_probability"]], 1)
    return loss(positive, scores, kept, of_own, of_columns)


def _softmax_of_scores(
    positive: tf.Tensor, negatives: tf.Tensor, mask: tf.Tensor, of_own: Any, of_columns: Any
) -> tf.Tensor:
    if of_own is not None:
        positive, negatives = positive - of_own, negatives - of_columns
    return in_batch.softmax_rows(positive, negatives, mask)


def _kept(
    part: dict[str, Any], scores: tf.Tensor, first: Any, in_batch_: bool, hardest: Any
) -> tf.Tensor | None:
    """Returns which shared negatives count for each row, or None for all of them."""
    keep = None
    if "own_number" in part:
        keep = part["own_number"][:, tf.newaxis] != part["numbers"][tf.newaxis]
    elif in_batch_:
        rows = first + tf.range(tf.shape(scores)[0])
        keep = rows[:, tf.newaxis] != tf.range(tf.shape(scores)[1])[tf.newaxis]
    if "mask" in part:
        mask = _all_columns(part["mask"], scores)
        keep = mask if keep is None else keep & mask
    return keep if hardest is None else at_least(scores, keep, hardest)


def _all_columns(mask: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Returns a mask of the batch's candidates with what was drawn besides, all of it kept."""
    more = tf.shape(scores)[1] - tf.shape(mask)[1]
    return tf.pad(mask, [[0, 0], [0, more]], constant_values=True)


def _of_own(mask: tf.Tensor, first: Any) -> tf.Tensor:
    return tf.gather(mask, first + tf.range(tf.shape(mask)[0]), batch_dims=1)


def _explicit_scores(part: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns the scores of each row's explicit negatives, and which of them count."""
    queries, explicit = part["queries"], part["explicit"]
    if len(queries.shape) == 3:
        scores = tf.reduce_max(tf.einsum("rhd,rnd->rhn", queries, explicit), axis=1)
    else:
        # Queries may have a dimension more, for the correction.
        scores = tf.einsum("rd,rnd->rn", queries[:, : tf.shape(explicit)[2]], explicit)
    return scores, ~part["explicit_hits"] if "explicit_hits" in part else None
