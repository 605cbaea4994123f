"""How often the right candidate of the whole corpus is among the k best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k import Streaming, TopK
from recs.layers.factorized_top_k.exclusion import EXCLUDED_SCORE
from recs.metrics.factorized import Factorized

# Both ways to sum up a dot product err by at most dim * eps / 2 of the sum of its terms' sizes:
# together dim * eps. The other half is for the encoder, whose own sums depend on the batch too.
ROUNDING = 2.0 * 2.0**-23


@keras.saving.register_keras_serializable("recs")
class FactorizedTopK(Factorized):
    """The share of queries whose own candidate is among the `k` best of the corpus.

    Two ways to tell. With `true_candidate_ids`, query `i` is a hit at `k` when its id is among
    the first `k` that are retrieved. Without, by score: `p_i = q_i . c_i` is a hit when fewer
    than `k` candidates of the corpus score higher; the true candidate need not be in the corpus,
    ties count as hits, and embeddings that are all alike score 1.

    When it is in the corpus, its copy gets its score from a matrix product, whose rounding
    differs, and must not count against it. So "higher" means by more than rounding can do:
    `s_ij > p_i + 2 * dim * eps * sum_d |q_id * c_id|` with float32's `eps = 2^-23`, which bounds
    the difference of any two orders of summation, doubled for the encoder. In half precision
    embeddings of one item may differ by more than that between batches: use ids there.

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

    Reference: `tfrs.metrics.FactorizedTopK`. Repaired here: rounding, as above; fewer candidates
    than `max(ks)` in a BruteForce; results that are not sorted; weights of shape `(queries, 1)`.
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
            plain = exclusions is None and inclusions is None
            ranked = self._hits_by_rank(queries, true_ids) if plain else None
            hits = ranked or self._hits_by_id(queries, true_ids, exclusions, inclusions)
        if sample_weight is not None:
            sample_weight = tf.reshape(tf.convert_to_tensor(sample_weight), [-1])
        sound = tf.reduce_all(tf.math.is_finite(queries), axis=1)
        for metric, hit in zip(self._top_k_metrics, hits, strict=True):
            metric.update_state(tf.cast(hit & sound, tf.float32), sample_weight=sample_weight)

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
        """Returns for each k which queries have their own id among the k that are retrieved."""
        scores, ids = self._retrieve(queries, exclusions, inclusions)
        self._check_ids(ids.dtype, true_ids.dtype)
        plain = exclusions is None and inclusions is None
        in_order = self._candidates.in_order and plain
        return _hits_by_id(scores, ids, true_ids[:, tf.newaxis], self._ks, in_order)

    def _hits_by_rank(self, queries: tf.Tensor, true_ids: tf.Tensor) -> list[tf.Tensor] | None:
        """Returns what `_hits_by_id` does, or None where scores cannot be counted instead.

        How many candidates score higher or lower than the true one by more than rounding can do
        decides nearly every query; those that rounding could decide are retrieved, and those
        whose id several candidates have.
        """
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
        own, margin = _own_scores(queries, found[0])
        limits = tf.stack([own + margin, own - margin - 1e-30], axis=1)
        above, not_below = tf.unstack(self._candidates.count_higher(queries, limits), axis=1)
        # The true candidate itself is among these, and what equals it, also where all is zero.
        not_below -= 1
        open_ = tf.reduce_any(tf.stack([(above < k) & (not_below >= k) for k in self._ks]), axis=0)
        rows = tf.where((open_ | repeated) & known)

        def retrieved() -> list[tf.Tensor]:
            return self._hits_by_id(tf.gather(queries, rows[:, 0]), tf.gather(true_ids, rows[:, 0]))

        nothing = tf.zeros([0], tf.bool)
        again = tf.cond(tf.size(rows) > 0, retrieved, lambda: [nothing for _ in self._ks])
        sure = [(not_below < k) & known for k in self._ks]
        return [
            tf.tensor_scatter_nd_update(hit, rows, new)
            for hit, new in zip(sure, again, strict=True)
        ]

    def _hits_by_score(
        self, queries: tf.Tensor, positives: tf.Tensor, exclusions: Any, inclusions: Any
    ) -> list[tf.Tensor]:
        """Returns for each k which queries have fewer than k better candidates than their own."""
        own, margin = _own_scores(queries, positives)
        limits = own + margin
        higher = None
        if exclusions is None and inclusions is None:
            higher = self._candidates.count_higher(queries, limits)
        if higher is None:
            scores, _ = self._retrieve(queries, exclusions, inclusions)
            higher = tf.reduce_sum(tf.cast(scores > limits[:, tf.newaxis], tf.int32), axis=1)
        sound = tf.math.is_finite(own)
        return [sound & (higher < k) for k in self._ks]

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


def _own_scores(queries: tf.Tensor, positives: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the score of each query with its own candidate, and what rounding may add to it."""
    terms = queries * positives
    dim = tf.cast(tf.shape(queries)[1], tf.float32)
    margin = ROUNDING * dim * tf.reduce_sum(tf.abs(terms), axis=1)
    return tf.reduce_sum(terms, axis=1), margin


def _hits_by_id(
    scores: tf.Tensor, ids: tf.Tensor, true_ids: tf.Tensor, ks: Sequence[int], in_order: bool
) -> list[tf.Tensor]:
    """Returns for each k which queries have their own id among the k best."""
    if ids.dtype != true_ids.dtype and tf.string not in (ids.dtype, true_ids.dtype):
        ids, true_ids = tf.cast(ids, tf.int64), tf.cast(true_ids, tf.int64)
    # An index may pad with NaN, and need not sort.
    padding = tf.math.is_nan(scores)
    match = (ids == true_ids) & ~padding
    if not in_order:
        scores = tf.where(padding, scores.dtype.min, scores)
        _, order = tf.math.top_k(scores, k=tf.shape(scores)[1])
        match = tf.gather(match, order, batch_dims=1)
    return [tf.ensure_shape(tf.reduce_any(match[:, :k], axis=1), [None]) for k in ks]
