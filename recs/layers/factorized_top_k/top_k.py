"""The interface of the layers that retrieve."""

from __future__ import annotations

import abc
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k import exclusion, inclusion
from recs.layers.factorized_top_k.best import count_rows_above
from recs.ops.count_higher import count_higher
from recs.ops.library import suits_tensors


class TopK(keras.Model, abc.ABC):
    """Base of the layers from queries to the `k` best candidates and their scores.

    The score is the dot product of query and candidate; override `_compute_score` to change it.
    A subclass writes `index`, `call`, `is_exact`, and `num_candidates` when it knows it.

    Queries are never cast to half precision, and the query model always runs as inference, also
    when the layer is called while a model trains.

    Args:
        k: int, positive. How many candidates to return when a call does not say.
        query_model: A layer or function from the features of a query to its embedding. Defaults
            to `None`: queries are embeddings already.
        **kwargs: The arguments of `keras.Model`.

    Shapes: queries `(batch, dim)` -> scores `(batch, k)` float32, identifiers `(batch, k)` in
    their own dtype, best first.

    Raises:
        ValueError: when `k` is not a positive integer.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.factorized_top_k import BruteForce
    >>> index = BruteForce(k=1).index(np.eye(2, dtype="float32"), np.array(["a", "b"]))
    >>> index(np.array([[0.0, 1.0]]))[1].numpy().tolist()
    [[b'b']]

    ```

    Reference: `tfrs.layers.factorized_top_k.TopK`.
    """

    def __init__(self, k: int = 10, query_model: Any = None, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(
                explain(
                    "`k`", rule="must be a positive integer", received=f"k={k!r}", where=self._where
                )
            )
        self.query_model = query_model
        self._k = k
        self.built = True

    @property
    def _where(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    @abc.abstractmethod
    def index(self, candidates: Any, identifiers: Any = None) -> TopK:
        """Builds the index from a matrix of candidates; an index built before is dropped.

        Args:
            candidates: `(candidates, dim)` embeddings.
            identifiers: `(candidates,)` ids to return. Defaults to `None`, for row numbers.

        Returns:
            The layer itself.
        """

    def index_from_dataset(self, candidates: tf.data.Dataset) -> TopK:
        """Builds the index from batches of embeddings, or of `(identifiers, embeddings)`.

        Args:
            candidates: A `tf.data.Dataset` of `(batch, dim)` matrices, or of pairs with the
                identifiers first.

        Returns:
            The layer itself.
        """
        self._check_dataset(candidates)
        batches = list(candidates)
        if isinstance(candidates.element_spec, tuple):
            identifiers = tf.concat([ids for ids, _ in batches], axis=0) if batches else None
            return self.index(tf.concat([rows for _, rows in batches], axis=0), identifiers)
        return self.index(tf.concat(batches, axis=0))

    @abc.abstractmethod
    def call(self, queries: Any, k: Any = None) -> tuple[Any, Any]:
        """Returns the scores and the identifiers of the best candidates, best first.

        Args:
            queries: Embeddings, or features when there is a query model.
            k: int or a scalar tensor. Defaults to `None`, which is the constructor's.
        """

    @abc.abstractmethod
    def is_exact(self) -> bool:
        """Returns whether the results are the true best, not an approximation."""

    @property
    def in_order(self) -> bool:
        """Whether results are known to come best first, with no padding among them."""
        return False

    def count_higher(self, queries: Any, limits: Any) -> Any:
        """Returns how many candidates score higher than limits, int32 of their shape, or None.

        Scores are compared in double precision, unless a subclass computes its own. A score of NaN
        counts as higher. An index that does not score every candidate returns None.

        Args:
            queries: Embeddings, or features when there is a query model.
            limits: `(batch,)`, or `(batch, limits)` with a known number of limits, float64.
        """
        del queries, limits

    def own_scores(self, queries: tf.Tensor, candidates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the score of each query with its own candidate, and what rounding may change.

        They compare with what `count_higher` counts: another score that lies within the second of
        the first is a tie.

        Args:
            queries: `(batch, dim)` embeddings.
            candidates: `(batch, dim)` embeddings.

        Returns:
            Two tensors of float64, `(batch,)` each.
        """
        if type(self)._compute_score is not TopK._compute_score:

            def of_pair(pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
                scores = self._compute_score(pair[0][tf.newaxis], pair[1][tf.newaxis])
                return tf.cast(tf.reshape(scores, []), tf.float64)

            own = tf.map_fn(of_pair, (queries, candidates), fn_output_signature=tf.float64)
            return own, 2.0**-23 * tf.cast(tf.shape(queries)[1], tf.float64) * tf.abs(own)
        terms = tf.cast(queries, tf.float64) * tf.cast(candidates, tf.float64)
        dim = tf.cast(tf.shape(queries)[1], tf.float64)
        # Two sums in double precision, in any order, differ by no more.
        rounding = 2.0**-52 * dim * tf.reduce_sum(tf.abs(terms), axis=1)
        return tf.reduce_sum(terms, axis=1), rounding

    def _count_rows_above(
        self, queries: tf.Tensor, candidates: tf.Tensor, limits: tf.Tensor
    ) -> tf.Tensor:
        """Returns how many of some candidates score above limits; in one op where that is right."""
        limits = tf.cast(limits, tf.float64)
        if type(self)._compute_score is not TopK._compute_score:
            return count_rows_above(lambda c: self._compute_score(queries, c), candidates, limits)
        if queries.dtype == candidates.dtype == tf.float32 and suits_tensors():
            return count_higher(queries, candidates, limits)
        wide = tf.cast(queries, tf.float64)

        def score(some: tf.Tensor) -> tf.Tensor:
            return tf.matmul(wide, tf.cast(some, tf.float64), transpose_b=True)

        return count_rows_above(score, candidates, limits)

    def embeddings_of(self, identifiers: Any) -> Any:
        """Returns embeddings of candidates `(n, dim)` and how many have each identifier, or None.

        Where several candidates have it, the embedding is that of any of them; where none has, any
        numbers. An index returns None that cannot say, or whose score is not the dot product.

        Args:
            identifiers: `(n,)`, of the kind of the index's.

        Returns:
            `None`, or float32 `(n, dim)` and int32 `(n,)`.
        """
        del identifiers

    def identifier_dtype(self) -> Any:
        """Returns the dtype of the index's identifiers, or None where that is not known."""

    def num_candidates(self) -> Any:
        """Returns how many candidates there are, or None where that is unknown or no limit."""
        return None

    def query_with_exclusions(
        self, queries: Any, exclusions: Any, k: Any = None
    ) -> tuple[Any, Any]:
        """Returns the best candidates of each query but for those it excludes.

        `k` and as many candidates as are excluded are retrieved, and the excluded go to the end.
        When fewer than `k` others exist, the row ends in the lowest float32 as score and a filler
        as identifier, `""` or -1. TFRS instead subtracts 1e5 from their scores:
        excluded candidates come back as soon as scores lie further apart than that. Identifiers
        have to be unique in the index.

        Args:
            queries: Embeddings, or features when there is a query model.
            exclusions: `(batch, number)` identifiers. Pad rows with an identifier that does not
                exist, or repeat one.
            k: int or a scalar tensor. Defaults to `None`, which is the constructor's.

        Returns:
            Scores and identifiers, `(batch, k)` each, best first.
        """
        exclusions = tf.convert_to_tensor(exclusions)
        k = self._k if k is None else k
        retrieved = k + (exclusions.shape[1] or tf.shape(exclusions)[1])
        limit = self.num_candidates()
        if limit is not None:
            retrieved = inclusion.smaller(retrieved, limit)
        scores, identifiers = self(queries, k=retrieved)
        if limit is not None:
            scores = self._check_k(scores, k, limit)
        return exclusion.exclude(scores, identifiers, exclusions, k, self._where)

    def query_with_inclusions(
        self, queries: Any, inclusions: Any, k: Any = None
    ) -> tuple[Any, Any]:
        """Returns the best of the candidates that each query names.

        Args:
            queries: Embeddings, or features when there is a query model.
            inclusions: `(batch, number)` identifiers. Repeated and unknown ones count for nothing,
                so rows may be padded with either.
            k: int or a scalar tensor. Defaults to `None`, which is the constructor's.

        Returns:
            Scores and identifiers, best first. Where a query names fewer than `k`, the rest of its
            row has the lowest float32 as score, and the filler, `""` or -1, as identifier.

        Raises:
            NotImplementedError: when the index cannot.
        """
        del queries, inclusions, k
        raise NotImplementedError(
            explain(
                "Inclusions",
                rule="must be supported by the index",
                received=type(self).__name__,
                where=self._where,
                remedy="Use BruteForce or Streaming.",
            )
        )

    def _compute_score(self, queries: Any, candidates: Any) -> Any:
        """Returns the score of every query, `(batch,)`, with every candidate, `(candidates,)`."""
        return tf.matmul(queries, candidates, transpose_b=True)

    def _embed(self, queries: Any) -> tf.Tensor:
        """Returns query embeddings in the precision scores are computed in."""
        if self.query_model is not None:
            # `training=False` to Keras layers only: a plain function need not take it.
            is_layer = isinstance(self.query_model, keras.layers.Layer)
            queries = self.query_model(queries, **({"training": False} if is_layer else {}))
        return tf.cast(tf.convert_to_tensor(queries), tf.float32)

    def _not_indexed(self) -> ValueError:
        return ValueError(
            explain(
                "The candidates",
                rule="must be indexed before the layer is called",
                received="no index",
                where=self._where,
                remedy="Call `index` or `index_from_dataset` first.",
            )
        )

    def _check_k(self, scores: tf.Tensor, k: Any, limit: Any) -> tf.Tensor:
        """Returns the scores; raises when `k` exceeds their number, in a graph when it runs."""
        received = f"k={k}, {limit} candidates" if isinstance(limit, int) else "more"
        message = explain(
            "`k`",
            rule="must not exceed the number of candidates",
            received=received,
            where=self._where,
            remedy="Ask for fewer, or index more candidates.",
        )
        if isinstance(limit, int) and int(k) > limit:
            raise ValueError(message)
        if isinstance(k, int) and k < 1:
            raise ValueError(
                explain(
                    "`k`", rule="must be a positive integer", received=f"k={k}", where=self._where
                )
            )
        return after_check(scores, k, limit, message)

    def _check_dataset(self, candidates: tf.data.Dataset) -> None:
        """Raises unless the dataset yields embeddings, or pairs of identifiers and embeddings."""
        spec = candidates.element_spec
        rule = "must yield embeddings or pairs of (identifiers, embeddings) of equal length"
        pair = isinstance(spec, tuple)
        fits = not pair or (
            len(spec) == 2 and spec[0].shape[:1].is_compatible_with(spec[1].shape[:1])
        )
        if isinstance(spec, dict) or not fits:
            raise ValueError(
                explain(
                    "The dataset of candidates",
                    rule=rule,
                    received=repr(spec),
                    where=self._where,
                    remedy="Map it to a pair, the identifiers first.",
                )
            )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer; candidates are state, not configuration."""
        model = self.query_model
        return {
            "name": self.name,
            "k": self._k,
            "query_model": None if model is None else keras.saving.serialize_keras_object(model),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TopK:
        """Rebuilds a layer from `get_config`, without candidates."""
        config = dict(config)
        if config.get("query_model") is not None:
            config["query_model"] = keras.saving.deserialize_keras_object(config["query_model"])
        return cls(**config)


def after_check(tensor: tf.Tensor, k: Any, limit: Any, message: str) -> tf.Tensor:
    """Returns a tensor that exists only where `k` is at most `limit`: else the op fails first."""
    check = tf.debugging.assert_less_equal(tf.cast(k, tf.int32), limit, message=message)
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(tensor)
