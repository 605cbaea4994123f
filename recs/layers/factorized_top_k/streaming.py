"""Exact retrieval from a dataset that is read anew for every batch of queries."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k import inclusion
from recs.layers.factorized_top_k.best import (
    COLUMNS_AT_ONCE,
    SCORES_AT_ONCE,
    best_columns,
    best_rows,
)
from recs.layers.factorized_top_k.exclusion import check_rows, filled
from recs.layers.factorized_top_k.top_k import TopK, after_check

# Candidates that are scored by all queries at once; fewer would be merged too often.
FEWEST_AT_ONCE = 2048
# What an error from within the pipeline is known by.
_TOO_FEW = "must have at least `k` candidates"
_NOT_FINITE = "Candidates must be finite"


@dataclasses.dataclass
class _Source:
    """Holds the dataset where Keras does not track it: it is no state of the model."""

    dataset: tf.data.Dataset | None = None


@keras.saving.register_keras_serializable("recs")
class Streaming(TopK):
    """The `k` best candidates of a dataset, found batch by batch.

    For corpora that do not fit into memory as embeddings, and for evaluation while the model
    changes: candidates are encoded as they are read, in the batches of the dataset. Tens of
    thousands at a time are scored, by some queries after the other, and their `k` best merged with
    the best so far.

    A corpus of fewer than `k` candidates gives fewer columns. State: none; the dataset is not
    saved, so a reloaded layer has to be given it again.

    Args:
        query_model: A layer or function from features to embeddings. Defaults to `None`: queries
            are embeddings already.
        k: int. How many candidates to return when a call does not say. Defaults to `10`.
        handle_incomplete_batches: bool. Whether batches of fewer than `k` candidates are allowed;
            False is a little faster, and an error when one comes. Defaults to `True`.
        num_parallel_calls: int. How many batches are scored at a time. Defaults to
            `tf.data.AUTOTUNE`.
        sorted_order: bool. Whether results are sorted, best first. Defaults to `True`.
        **kwargs: The arguments of `keras.Model`.

    Shapes: queries `(batch, dim)` -> scores `(batch, k)` float32, identifiers `(batch, k)`: as
    the dataset has them, or row numbers in int32.

    Raises:
        ValueError: when there is no index, a candidate is NaN or infinite, or a batch is smaller
            than `k` and must not be; in a `tf.function` that is an `InvalidArgumentError`.
        NotImplementedError: by `index`, which takes no matrix here.

    Example:
    ```python
    >>> import numpy as np
    >>> import tensorflow as tf
    >>> from recs.layers.factorized_top_k import Streaming
    >>> rows = tf.data.Dataset.from_tensor_slices(np.eye(3, dtype="float32")).batch(2)
    >>> scores, ids = Streaming(k=1).index_from_dataset(rows)(np.eye(3, dtype="float32"))
    >>> ids.numpy().tolist()
    [[0], [1], [2]]

    ```

    Reference: `tfrs.layers.factorized_top_k.Streaming`. Row numbers are counted in the pipeline
    here, not in a variable, so calls may run side by side.
    """

    def __init__(
        self,
        query_model: Any = None,
        k: int = 10,
        handle_incomplete_batches: bool = True,
        num_parallel_calls: int = tf.data.AUTOTUNE,
        sorted_order: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(k=k, query_model=query_model, **kwargs)
        self._handle_incomplete_batches = handle_incomplete_batches
        self._num_parallel_calls = num_parallel_calls
        self._sorted_order = sorted_order
        self._source = _Source()
        # A graph that XLA compiles cannot read a dataset.
        self.supports_jit = False

    def index(self, candidates: Any, identifiers: Any = None) -> Streaming:
        """Raises: a stream has no matrix. Use `index_from_dataset`."""
        raise NotImplementedError(
            explain(
                "The candidates",
                rule="must come as a dataset",
                received=type(candidates).__name__,
                where=self._where,
                remedy="Call `index_from_dataset`, or use BruteForce for a matrix.",
            )
        )

    def index_from_dataset(self, candidates: tf.data.Dataset) -> Streaming:
        """Remembers the dataset, of embeddings or of pairs of (identifiers, embeddings).

        Args:
            candidates: A `tf.data.Dataset` of batches. It is read once a call.

        Returns:
            The layer itself.
        """
        self._check_dataset(candidates)
        self._source.dataset = candidates
        return self

    def call(self, queries: Any, k: Any = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scores and the identifiers of the best candidates.

        Args:
            queries: Embeddings, or features when there is a query model.
            k: int or a scalar tensor. Defaults to `None`, which is the constructor's.
        """
        return self._best_of_all(queries, k, None)

    def query_with_inclusions(
        self, queries: Any, inclusions: Any, k: Any = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the best of the candidates that each query names; all are scored.

        Args:
            queries: Embeddings, or features when there is a query model.
            inclusions: `(batch, number)` identifiers. Repeated and unknown ones count for nothing,
                so rows may be padded with either.
            k: int or a scalar tensor. Defaults to `None`, which is the constructor's.

        Returns:
            Scores and identifiers, best first. Where a query names fewer than `k`, the rest of its
            row has the lowest float32 as score, and the filler as identifier: `""`, or -1.
        """
        inclusions = tf.convert_to_tensor(inclusions)
        queries = self._embed(queries)
        inclusions = check_rows("inclusions", inclusions, queries, self._where)
        scores, identifiers = self._best_of_all(queries, k, inclusions)
        return scores, filled(scores, identifiers)

    def count_higher(self, queries: Any, limits: Any) -> tf.Tensor:
        """Returns how many candidates score higher than limits; see `TopK.count_higher`."""
        dataset = self._source.dataset
        if dataset is None:
            raise self._not_indexed()
        queries, limits = self._embed(queries), tf.convert_to_tensor(limits)

        def count(*batch: tf.Tensor) -> tf.Tensor:
            rows = tf.cast(batch[-1], queries.dtype)
            return self._count_rows_above(queries, rows, limits)

        counts = self._large_batches(dataset).map(
            count, num_parallel_calls=self._num_parallel_calls
        )
        return counts.reduce(tf.zeros(tf.shape(limits), tf.int32), tf.add)

    def embeddings_of(self, identifiers: Any) -> tuple[tf.Tensor, tf.Tensor] | None:
        """Returns candidates' embeddings, read from the dataset; see `TopK.embeddings_of`."""
        dataset, asked = self._source.dataset, tf.convert_to_tensor(identifiers)
        if dataset is None:
            raise self._not_indexed()
        named = isinstance(dataset.element_spec, tuple)
        dim = (dataset.element_spec[-1] if named else dataset.element_spec).shape[-1]
        if dim is None or type(self)._compute_score is not TopK._compute_score:
            return None

        def find(
            found: tuple[tf.Tensor, tf.Tensor], batch: tuple[tf.Tensor, Any]
        ) -> tuple[tf.Tensor, tf.Tensor]:
            first, rows = batch[0], batch[1][-1] if named else batch[1]
            ids = batch[1][0] if named else first + tf.range(tf.shape(rows)[0])
            place, count = _places(asked, ids)
            new = tf.gather(tf.pad(tf.cast(rows, tf.float32), [[0, 1], [0, 0]]), place)
            return tf.where(count[:, tf.newaxis] > 0, new, found[0]), found[1] + count

        start = tf.zeros([tf.size(asked), dim]), tf.zeros([tf.size(asked)], tf.int32)
        counted = self._large_batches(dataset).scan(tf.constant(0), _counted)
        embeddings, counts = counted.reduce(start, find)
        return embeddings, counts

    def identifier_dtype(self) -> tf.DType:
        """Returns the dtype of the dataset's identifiers, int32 of row numbers."""
        dataset = self._source.dataset
        if dataset is None:
            raise self._not_indexed()
        spec = dataset.element_spec
        return spec[0].dtype if isinstance(spec, tuple) else tf.int32

    def _best_of_all(
        self, queries: Any, k: Any, inclusions: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        dataset = self._source.dataset
        if dataset is None:
            raise self._not_indexed()
        k = self._k if k is None else k
        queries = queries if inclusions is not None else self._embed(queries)
        named = isinstance(dataset.element_spec, tuple)
        id_dtype = dataset.element_spec[0].dtype if named else tf.int32
        if inclusions is not None:
            inclusion.check_kind("inclusions", inclusions, id_dtype, self._where)

        def best_of_batch(first: tf.Tensor, batch: Any) -> tuple[tf.Tensor, tf.Tensor]:
            batch = batch if isinstance(batch, tuple) else (batch,)
            rows = tf.shape(batch[-1])[0]
            ids = batch[0] if named else first + tf.range(rows)
            candidates = self._finite(batch[-1], queries.dtype)
            if inclusions is None and self._handle_incomplete_batches:
                some = tf.minimum(k, rows)
                scores, order = best_rows(self._compute_score, queries, candidates, some)
                return tf.cast(scores, queries.dtype), tf.gather(ids, order)
            scores = tf.cast(self._compute_score(queries, candidates), queries.dtype)
            if inclusions is not None:
                scores = inclusion.among(scores, _named(ids, inclusions))
            scores, order = self._best(scores, k, "The batch of candidates")
            return scores, tf.gather(ids, order)

        def merge(
            best: tuple[tf.Tensor, tf.Tensor], new: tuple[tf.Tensor, tf.Tensor]
        ) -> tuple[tf.Tensor, tf.Tensor]:
            scores = tf.concat([best[0], new[0]], axis=1)
            ids = tf.concat([best[1], new[1]], axis=1)
            scores, order = self._best(scores, k, "The corpus")
            return scores, tf.gather(ids, order, batch_dims=1)

        empty = tf.stack([tf.shape(queries)[0], 0])
        start = (tf.zeros(empty, queries.dtype), _no_ids(empty, id_dtype))
        at_once = None if inclusions is None else tf.shape(queries)[0]
        counted = self._large_batches(dataset, at_once).scan(tf.constant(0), _counted)
        scored = counted.map(best_of_batch, num_parallel_calls=self._num_parallel_calls)
        try:
            scores, ids = scored.reduce(start, merge)
        except tf.errors.InvalidArgumentError as error:
            raise self._explained(error) from error
        return scores, ids

    def _large_batches(
        self, dataset: tf.data.Dataset, at_once: tf.Tensor | None = None
    ) -> tf.data.Dataset:
        """Returns the dataset in batches worth a call, where it does not matter how it came.

        Args:
            dataset: the candidates.
            at_once: by how many queries each batch is scored at once. Defaults to `None`: by some
                after the other.
        """
        if not self._handle_incomplete_batches:
            return dataset
        rows = tf.constant(COLUMNS_AT_ONCE)
        if at_once is not None:
            rows = tf.clip_by_value(SCORES_AT_ONCE // tf.maximum(at_once, 1), FEWEST_AT_ONCE, rows)
        return dataset.rebatch(tf.cast(rows, tf.int64))

    def _finite(self, candidates: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """Returns candidates, of which there are none without an order."""
        candidates = tf.cast(candidates, dtype)
        check = tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(candidates)), [_NOT_FINITE])
        with tf.control_dependencies([] if check is None else [check]):
            return tf.identity(candidates)

    def _best(self, scores: tf.Tensor, k: Any, what: str) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the `k` best columns and where they were."""
        columns = tf.shape(scores)[1]
        if self._handle_incomplete_batches:
            k = tf.minimum(k, columns)
        else:
            message = explain(
                what,
                rule=_TOO_FEW,
                received="fewer",
                where=self._where,
                remedy="Batch more, drop the remainder, or set `handle_incomplete_batches=True`.",
            )
            scores = after_check(scores, k, columns, message)
        return best_columns(scores, k, self._sorted_order)

    def _explained(self, error: Exception) -> Exception:
        """Returns the house's error in place of a failed assertion inside the pipeline."""
        text = str(error)
        if _NOT_FINITE in text:
            return ValueError(
                explain(
                    "Candidates",
                    rule="must be finite",
                    received="NaN or infinity in a batch",
                    where=self._where,
                    remedy="Find where the model that embeds them diverged.",
                )
            )
        start = text.find(_TOO_FEW)
        if start < 0:
            return error
        return ValueError(
            explain(
                "A batch of candidates",
                rule=_TOO_FEW,
                received=text[start:][:200],
                where=self._where,
                remedy="Batch more, drop the remainder, or set `handle_incomplete_batches=True`.",
            )
        )

    @property
    def in_order(self) -> bool:
        """Returns whether results are sorted, as the constructor was told."""
        return self._sorted_order

    def is_exact(self) -> bool:
        """Returns True: every candidate is scored."""
        return True

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer, without its dataset."""
        return {
            **super().get_config(),
            "handle_incomplete_batches": self._handle_incomplete_batches,
            "num_parallel_calls": self._num_parallel_calls,
            "sorted_order": self._sorted_order,
        }


def _no_ids(shape: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Returns an empty matrix of identifiers; strings have no zero in some TensorFlow releases."""
    return tf.fill(shape, tf.constant("" if dtype == tf.string else 0, dtype=dtype))


def _counted(first: tf.Tensor, batch: Any) -> tuple[tf.Tensor, Any]:
    """Returns a batch with the number of its first row in the corpus."""
    rows = batch[-1] if isinstance(batch, tuple) else batch
    return first + tf.shape(rows)[0], (first, batch)


def _places(asked: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns one position of each requested id, and its number of matches."""
    if ids.dtype != asked.dtype:
        ids, asked = tf.cast(ids, tf.int64), tf.cast(asked, tf.int64)
    count, several = tf.size(ids), tf.size(asked)
    numbers = tf.unique(tf.concat([ids, asked], axis=0)).idx
    ones = tf.ones([count], tf.int32)
    counts = tf.math.unsorted_segment_sum(ones, numbers[:count], count + several)
    # Of none the place is behind all others.
    last = tf.math.unsorted_segment_max(tf.range(count), numbers[:count], count + several)
    wanted = numbers[count:]
    times = tf.gather(counts, wanted)
    return tf.where(times > 0, tf.gather(last, wanted), count), times


def _named(ids: tf.Tensor, inclusions: tf.Tensor) -> tf.Tensor:
    """Returns which ids `(candidates,)` each row of inclusions names, `(batch, candidates)`.

    By numbering what is equal: comparing each with each would take a matrix a candidate.
    """
    if ids.dtype != inclusions.dtype:
        ids, inclusions = tf.cast(ids, tf.int64), tf.cast(inclusions, tf.int64)
    count, shape = tf.shape(ids)[0], tf.shape(inclusions)
    numbers = tf.unique(tf.concat([ids, tf.reshape(inclusions, [-1])], axis=0)).idx
    # Ids were numbered first, so what is none of them has a number of at least their count.
    wanted = tf.minimum(tf.reshape(numbers[count:], shape), count)
    rows = tf.broadcast_to(tf.range(shape[0])[:, tf.newaxis], shape)
    named = tf.scatter_nd(
        tf.stack([rows, wanted], axis=-1),
        tf.ones(shape, tf.int32),
        tf.stack([shape[0], count + 1]),
    )
    return tf.gather(named > 0, numbers[:count], axis=1)
