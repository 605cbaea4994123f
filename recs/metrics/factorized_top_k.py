"""Top-k accuracy over the whole corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k import Streaming, TopK, inclusion
from recs.layers.factorized_top_k.exclusion import EXCLUDED_SCORE
from recs.metrics.factorized import Factorized

# An encoder gives one item embeddings that differ in their last bits, for its own sums depend on
# the batch: over the dimension and the size of a score's terms.
ENCODER_ROUNDING = 2.0**-23


@keras.saving.register_keras_serializable("recs")
class FactorizedTopK(Factorized):
    """The share of queries whose own candidate is among the `k` best of the corpus.

    A query is a hit at `k` when fewer than `k` other candidates score as high as its own or higher:
    ties count against it, so that embeddings that are all alike are no hits, and neither the order
    of the catalogue nor rounding decides.

    Scores `s_ij = q_i . c_j` of the true candidate and of all others are compared in double
    precision, whatever the instructions of the processor. What ties depends on what is known:

    - With `true_candidate_ids`, the true candidate's embedding is that of the corpus, and scores
      tie when they are equal, up to `dim * 2^-52 * sum_d |q_id * c_id|`. An id that is not in the
      corpus is no hit. With an approximate index, with ids that several candidates have and with
      scores of a subclass's own, a query is a hit instead when its id is among the first `k` that
      are retrieved.
    - Without ids, the true candidate need not be in the corpus. Where it is, its copy there may
      differ in the last bits, for an encoder's sums depend on the batch: so scores tie within
      `dim * 2^-23 * sum_d |q_id * c_id|`. In half precision copies may differ by more: use ids.

    The corpus is read anew with every batch; without ids its scores are only counted, which is
    much faster than retrieving. A query with NaN or infinity is no hit, and a candidate with NaN
    counts as one that scores higher. A corpus of fewer than `k` candidates holds every one of them
    among its `k` best.

    Args:
        candidates: A `tf.data.Dataset` of batches of candidate embeddings or of pairs of
            (identifiers, embeddings), or a `recs.layers.factorized_top_k.TopK` that is indexed.
        ks: The values of `k`. Defaults to `(1, 5, 10, 50, 100)`.
        name: str. The layer's name, and the first part of the metrics'. Defaults to
            `"factorized_top_k"`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: embeddings `(queries, dim)` -> one float32 scalar for each of `ks`, reported as
    `{name}/top_{k}_categorical_accuracy`.

    Raises:
        ValueError: when `ks` are no positive integers, or when an approximate index is used
            without ids.
        TypeError: when `candidates` is neither of the two.

    Example:
    ```python
    >>> import numpy as np
    >>> import tensorflow as tf
    >>> from recs.metrics import FactorizedTopK
    >>> corpus = np.array([[1.0, 0.0], [0.0, 1.0]], "float32")
    >>> metric = FactorizedTopK(tf.data.Dataset.from_tensor_slices(corpus).batch(2), ks=(1, 2))
    >>> metric.update_state(np.array([[2.0, 1.0]], "float32"), corpus[1:])
    >>> [float(value) for value in metric.result()]
    [0.0, 1.0]

    ```

    Reference: `tfrs.metrics.FactorizedTopK`. Repaired here: ties and rounding, as above (there a
    tie without ids is a hit, with ids the order of the catalogue decides, and the true candidate's
    own copy counts against it where rounding makes its score higher); fewer candidates than
    `max(ks)` in a BruteForce; results that are not sorted; weights of shape `(queries, 1)`.
    """

    def __init__(
        self,
        candidates: TopK | tf.data.Dataset,
        ks: Sequence[int] = (1, 5, 10, 50, 100),
        name: str = "factorized_top_k",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        where = f"FactorizedTopK '{self.name}'"
        if not ks or any(isinstance(k, bool) or not isinstance(k, int) or k < 1 for k in ks):
            raise ValueError(
                explain(
                    "`ks`", rule="must be positive integers", received=f"ks={ks!r}", where=where
                )
            )
        if isinstance(candidates, tf.data.Dataset):
            candidates = Streaming(k=max(ks)).index_from_dataset(candidates)
        if not isinstance(candidates, TopK):
            raise TypeError(
                explain(
                    "`candidates`",
                    rule="must be a `tf.data.Dataset` or a `recs.layers.factorized_top_k.TopK`",
                    received=type(candidates).__name__,
                    where=where,
                    remedy="Make a dataset of a matrix with `from_tensor_slices(...).batch(...)`.",
                )
            )
        self._ks = tuple(ks)
        self._candidates = candidates
        self._top_k_metrics = [
            keras.metrics.Mean(name=f"{self.name}/top_{k}_categorical_accuracy", dtype="float32")
            for k in self._ks
        ]
        self.supports_jit = False

    def update_state(
        self,
        query_embeddings: Any,
        true_candidate_embeddings: Any,
        true_candidate_ids: Any = None,
        sample_weight: Any = None,
        exclusions: Any = None,
        inclusions: Any = None,
    ) -> None:
        """Takes a batch into account.

        Args:
            query_embeddings: `(queries, dim)`.
            true_candidate_embeddings: `(queries, dim)`, of the candidate each query chose.
            true_candidate_ids: `(queries,)`, their ids; the index must return ids of that kind.
                Defaults to `None`, which compares scores.
            sample_weight: `(queries,)`. Defaults to `None`, which weighs all alike.
            exclusions: `(queries, number)` ids that are no competition, such as those a user had in
                training; see `TopK.query_with_exclusions`. Defaults to `None`, for none.
            inclusions: `(queries, number)` ids that are the only competition; see
                `TopK.query_with_inclusions`. Not with exclusions. Defaults to `None`, for all.
        """
        if exclusions is not None and inclusions is not None:
            raise ValueError(
                explain(
                    "`exclusions` and `inclusions`",
                    rule="must not both be given",
                    received="both",
                    where=f"FactorizedTopK '{self.name}'",
                    remedy="Leave the excluded ids out of the included ones.",
                )
            )
        if true_candidate_ids is None and not self._candidates.is_exact():
            raise ValueError(
                explain(
                    "`true_candidate_ids`",
                    rule="must be given with an index that is not exact",
                    received="true_candidate_ids=None",
                    where=f"FactorizedTopK '{self.name}'",
                    remedy="Pass the ids: an approximate index has approximate scores.",
                )
            )
        queries = tf.cast(tf.convert_to_tensor(query_embeddings), tf.float32)
        if true_candidate_ids is None:
            positives = tf.cast(tf.convert_to_tensor(true_candidate_embeddings), tf.float32)
            hits = self._hits_by_score(queries, positives, exclusions, inclusions)
        else:
            true_ids = tf.reshape(tf.convert_to_tensor(true_candidate_ids), [-1])
            ranked = self._hits_by_rank(queries, true_ids, exclusions, inclusions)
            hits = ranked or self._hits_by_id(queries, true_ids, exclusions, inclusions)
        if sample_weight is not None:
            sample_weight = tf.reshape(tf.convert_to_tensor(sample_weight), [-1])
        sound = tf.reduce_all(tf.math.is_finite(queries), axis=1)
        for metric, hit in zip(self._top_k_metrics, hits, strict=True):
            metric.update_state(tf.where(sound, hit, 0.0), sample_weight=sample_weight)

    def _retrieve(
        self, queries: tf.Tensor, exclusions: Any, inclusions: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns scores and ids of the best; what is excluded has a score of NaN."""
        k = self._retrievable()
        if exclusions is not None:
            scores, ids = self._candidates.query_with_exclusions(queries, exclusions, k=k)
        elif inclusions is not None:
            scores, ids = self._candidates.query_with_inclusions(queries, inclusions, k=k)
        else:
            return self._candidates(queries, k=k)
        return tf.where(scores > EXCLUDED_SCORE, scores, float("nan")), ids

    def _hits_by_id(
        self,
        queries: tf.Tensor,
        true_ids: tf.Tensor,
        exclusions: Any = None,
        inclusions: Any = None,
    ) -> list[tf.Tensor]:
        """Returns for each k 1 where a query's own id is among the k that are retrieved, else 0."""
        scores, ids = self._retrieve(queries, exclusions, inclusions)
        self._check_ids(ids.dtype, true_ids.dtype)
        plain = exclusions is None and inclusions is None
        in_order = self._candidates.in_order and plain
        return _hits_by_id(scores, ids, true_ids[:, tf.newaxis], self._ks, in_order)

    def _hits_by_rank(
        self, queries: tf.Tensor, true_ids: tf.Tensor, exclusions: Any, inclusions: Any
    ) -> list[tf.Tensor] | None:
        """Returns hits by counting scores above the true candidate's, or None where it cannot."""
        if self._candidates.query_model is not None or not self._candidates.is_exact():
            return None
        dtype = self._candidates.identifier_dtype()
        if dtype is None:
            return None
        self._check_ids(dtype, true_ids.dtype)
        found = self._candidates.embeddings_of(true_ids)
        if found is None:
            return None
        known, repeated = found[1] > 0, found[1] > 1
        own, rounding = self._candidates.own_scores(queries, found[0])
        counts = self._count(queries, own, rounding, exclusions, inclusions)
        if counts is None:
            return None
        sound = known & tf.math.is_finite(own) & _is_allowed(true_ids, exclusions, inclusions)
        hits = [tf.where(sound, _hit(counts[0], counts[1], k), 0.0) for k in self._ks]
        rows = tf.where(repeated)
        others = [None if x is None else tf.convert_to_tensor(x) for x in (exclusions, inclusions)]

        def retrieved() -> list[tf.Tensor]:
            some = (queries, true_ids, *others)
            return self._hits_by_id(
                *(None if x is None else tf.gather(x, rows[:, 0]) for x in some)
            )

        nothing = tf.zeros([0], tf.float32)
        again = tf.cond(tf.size(rows) > 0, retrieved, lambda: [nothing for _ in self._ks])
        return [
            tf.tensor_scatter_nd_update(hit, rows, new)
            for hit, new in zip(hits, again, strict=True)
        ]

    def _hits_by_score(
        self, queries: tf.Tensor, positives: tf.Tensor, exclusions: Any, inclusions: Any
    ) -> list[tf.Tensor]:
        """Returns hits at each k by the score of each query with its own embedding."""
        own, rounding = self._candidates.own_scores(queries, positives)
        terms = tf.abs(tf.cast(queries, tf.float64) * tf.cast(positives, tf.float64))
        dim = tf.cast(tf.shape(queries)[1], tf.float64)
        of_encoder = ENCODER_ROUNDING * dim * tf.reduce_sum(terms, axis=1)
        margin = tf.maximum(rounding, of_encoder)
        counts = self._count(queries, own, margin, exclusions, inclusions)
        if counts is None:
            scores, _ = self._retrieve(queries, exclusions, inclusions)
            # These are products in float32, which err by as much again.
            scores, limit = tf.cast(scores, tf.float64), (own + 2 * margin)[:, tf.newaxis]
            counts = [
                tf.reduce_sum(tf.cast(which, tf.int32), axis=1)
                for which in (scores > limit, scores >= limit - 4 * margin[:, tf.newaxis])
            ]
        sound = tf.math.is_finite(own)
        return [tf.where(sound, _hit(counts[0], counts[1], k), 0.0) for k in self._ks]

    def _count(
        self,
        queries: tf.Tensor,
        own: tf.Tensor,
        margin: tf.Tensor,
        exclusions: Any,
        inclusions: Any,
    ) -> list[tf.Tensor] | None:
        """Returns how many candidates score above a margin around `own`, and how many not below.

        Where the index cannot count, the result is None.
        """
        # Scores of zero tie although nothing is left of the margin then.
        limits = tf.stack([own + margin, own - margin - 1e-300], axis=1)
        others = inclusions if exclusions is None else exclusions
        among = None if others is None else self._count_among(queries, limits, others)
        if others is not None and among is None:
            return None
        counts = among if inclusions is not None else self._candidates.count_higher(queries, limits)
        if counts is None:
            return None
        counts = counts if exclusions is None else counts - among
        return tf.unstack(counts, axis=1)

    def _count_among(
        self, queries: tf.Tensor, limits: tf.Tensor, identifiers: Any
    ) -> tf.Tensor | None:
        """Returns how many of the candidates that each query names score higher than limits."""
        identifiers = tf.convert_to_tensor(identifiers)
        dtype = self._candidates.identifier_dtype()
        if dtype is None or self._candidates.query_model is not None:
            return None
        inclusion.check_kind("ids", identifiers, dtype, f"FactorizedTopK '{self.name}'")
        names, places = tf.unique(tf.reshape(identifiers, [-1]))
        found = self._candidates.embeddings_of(names) if self._candidates.is_exact() else None
        if found is None:
            return None
        places = tf.reshape(places, tf.shape(identifiers))
        rows, allowed = inclusion.without_repeats(places, tf.gather(found[1] > 0, places))
        vectors = tf.cast(tf.gather(found[0], rows), tf.float64)
        scores = tf.einsum("qd,qnd->qn", tf.cast(queries, tf.float64), vectors)
        higher = ~(scores[:, :, tf.newaxis] <= limits[:, tf.newaxis, :])
        return tf.reduce_sum(tf.cast(allowed[:, :, tf.newaxis] & higher, tf.int32), axis=1)

    def _check_ids(self, of_candidates: Any, given: Any) -> None:
        of_candidates, given = tf.as_dtype(of_candidates), tf.as_dtype(given)
        if (of_candidates == tf.string) == (given == tf.string):
            return
        raise ValueError(
            explain(
                "`true_candidate_ids`",
                rule="must be of the kind that the candidates have",
                received=f"{given.name}, candidates with {of_candidates.name}",
                where=f"FactorizedTopK '{self.name}'",
                remedy="Candidates without ids are numbered. Give them theirs, as a dataset of "
                "pairs: `movies.map(lambda ids: (ids, movie_tower(ids)))`.",
            )
        )

    def _retrievable(self) -> Any:
        """Returns how many candidates to ask for: the largest k, or all where there are fewer."""
        limit = self._candidates.num_candidates()
        most = max(self._ks)
        if limit is None or isinstance(limit, int):
            return most if limit is None else min(most, limit)
        return tf.minimum(most, limit)

    def result(self) -> list[Any]:
        """Returns the share of hits for each of `ks`, in their order."""
        return [metric.result() for metric in self._top_k_metrics]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric; a dataset has to be indexed again."""
        return {
            **super().get_config(),
            "candidates": keras.saving.serialize_keras_object(self._candidates),
            "ks": list(self._ks),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FactorizedTopK:
        """Rebuilds a metric from `get_config`."""
        candidates = keras.saving.deserialize_keras_object(config["candidates"])
        return cls(**{**config, "candidates": candidates})


def _hit(above: tf.Tensor, not_below: tf.Tensor, k: int) -> tf.Tensor:
    """Returns 1 where the true candidate is among the `k` best, behind those that tie; else 0.

    Args:
        above: How many candidates score higher than the true one.
        not_below: How many score higher or tie, the true one itself included if it is there.
        k: How many are the best.
    """
    return tf.cast(tf.maximum(not_below, above + 1) <= k, tf.float32)


def _is_allowed(true_ids: tf.Tensor, exclusions: Any, inclusions: Any) -> tf.Tensor:
    """Returns for each query whether its own id is not excluded, or is included."""
    others = inclusions if exclusions is None else exclusions
    if others is None:
        return tf.ones_like(true_ids, tf.bool)
    others, own = tf.convert_to_tensor(others), true_ids[:, tf.newaxis]
    if others.dtype != own.dtype:
        others, own = tf.cast(others, tf.int64), tf.cast(own, tf.int64)
    named = tf.reduce_any(others == own, axis=1)
    return ~named if inclusions is None else named


def _hits_by_id(
    scores: tf.Tensor, ids: tf.Tensor, true_ids: tf.Tensor, ks: Sequence[int], in_order: bool
) -> list[tf.Tensor]:
    """Returns for each k 1 where a query has its own id among the k best, else 0."""
    if ids.dtype != true_ids.dtype and tf.string not in (ids.dtype, true_ids.dtype):
        ids, true_ids = tf.cast(ids, tf.int64), tf.cast(true_ids, tf.int64)
    # An index may pad with NaN, and need not sort.
    padding = tf.math.is_nan(scores)
    match = (ids == true_ids) & ~padding
    if not in_order:
        scores = tf.where(padding, scores.dtype.min, scores)
        _, order = tf.math.top_k(scores, k=tf.shape(scores)[1])
        match = tf.gather(match, order, batch_dims=1)
    match = tf.ensure_shape(match, [None, None])
    return [tf.cast(tf.reduce_any(match[:, :k], axis=1), tf.float32) for k in ks]
