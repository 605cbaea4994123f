"""Approximate retrieval from lists of neighbouring candidates."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k.best import best_rows
from recs.layers.factorized_top_k.brute_force import BruteForce, growing
from recs.layers.factorized_top_k.clusters import find_clusters
from recs.layers.factorized_top_k.exclusion import filled
from recs.layers.factorized_top_k.inclusion import smaller

# Floats of candidates that are gathered at once.
AT_ONCE = 2**24


@keras.saving.register_keras_serializable("recs")
class IVF(BruteForce):
    """Nearly the `k` best candidates of a matrix, from the lists that look best.

    k-means parts the candidates into lists of neighbours (an inverted file). Of a query, the
    `probes` lists are scored whose means have the largest dot products with it: `probes / lists` of
    all candidates, about. More probes find more and take longer; `recall` says how much is found,
    and `choose_probes` takes as few as a wanted recall needs.

    Worth it from some hundred thousand candidates on, or for single queries: of fewer, `BruteForce`
    scores all in the time that gathering a part takes. All of it is TensorFlow's own ops, so it is
    exported like `BruteForce`, of which it has identifiers, exclusions, inclusions, state and
    errors. Inclusions are exact.

    Where the lists that are probed hold fewer than `k` candidates, the row ends in the lowest
    float32 as score, beside the filler, `""` or -1. Of equal scores any may come first. An index
    that is built again takes effect in functions that are traced already.

    Args:
        query_model: A layer or function from features to embeddings. Defaults to `None`: queries
            are embeddings already.
        k: int. How many candidates to return when a call does not say. Defaults to `10`.
        lists: int. How many lists; clusters that are far above the mean are cut, so that there are
            a few more. Defaults to `None`: four times the root of the number of candidates.
        probes: int. How many lists a call scores that does not say. Defaults to `8`.
        seed: int. Decides the first centres. Defaults to `0`.
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.Model`.

    Call arguments:
        queries: `(batch, dim)`, or features when there is a query model.
        k: int or a scalar tensor. Defaults to `None`, which is the constructor's.
        probes: int or a scalar tensor. Defaults to `None`, which is the constructor's.

    Shapes: queries `(batch, dim)` -> scores `(batch, k)` float32, identifiers `(batch, k)` in the
    dtype they were given in, int32 row numbers by default.

    Raises:
        ImportError: by `index`, when scikit-learn is not installed.
        ValueError: as `BruteForce`; when `lists` or `probes` is not positive.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.factorized_top_k import IVF
    >>> candidates = np.random.default_rng(0).normal(size=(1000, 8)).astype("float32")
    >>> index = IVF(k=5, lists=20, probes=4).index(candidates)
    >>> scores, ids = index(candidates[:3])
    >>> ids.shape
    TensorShape([3, 5])
    >>> index.recall(candidates, probes=20) > index.recall(candidates, probes=2)
    True

    ```

    Reference: Jegou et al., "Product Quantization for Nearest Neighbor Search", 2011, section IV;
    faiss `IndexIVFFlat`.
    """

    def __init__(
        self,
        query_model: Any = None,
        k: int = 10,
        lists: int | None = None,
        probes: int = 8,
        seed: int = 0,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(query_model=query_model, k=k, name=name, **kwargs)
        for what, value in (("lists", lists), ("probes", probes)):
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and (not whole or value < 1):
                raise ValueError(
                    explain(
                        f"`{what}`",
                        rule="must be a positive integer",
                        received=f"{what}={value!r}",
                        where=self._where,
                    )
                )
        self._lists = lists
        self.probes = probes
        self._seed = seed
        self._centres = growing(tf.zeros([0, 0]))
        self._offsets = growing(tf.zeros([0], tf.int32))
        self._lengths = growing(tf.zeros([0], tf.int32))

    def index(self, candidates: Any, identifiers: Any = None) -> IVF:
        """Builds the index from a matrix of candidates; an index built before is dropped.

        Args:
            candidates: `(candidates, dim)` embeddings, stored as float32.
            identifiers: `(candidates,)` ids to return. Defaults to `None`, for row numbers.

        Returns:
            The layer itself.
        """
        candidates, identifiers = self._checked(candidates, identifiers)
        if not tf.executing_eagerly():
            raise RuntimeError(
                explain(
                    "`index`",
                    rule="must be called eagerly, for k-means is no TensorFlow op",
                    received="a call while a graph is traced",
                    where=self._where,
                )
            )
        rows = candidates.numpy()
        if not len(rows):
            return self._set(candidates, identifiers, rows, *np.zeros((2, 0), np.int32))
        count = self._lists or max(1, round(4 * len(rows) ** 0.5))
        found = find_clusters(rows, count, self._seed, self._where)
        place = tf.constant(found.order)
        return self._set(
            tf.gather(candidates, place), tf.gather(identifiers, place),
            found.centres, found.offsets, found.lengths,
        )  # fmt: skip

    def _set(self, candidates: Any, identifiers: Any, centres: Any, *places: Any) -> IVF:
        super().index(candidates, identifiers)
        self._centres.assign(centres)
        for variable, value in zip((self._offsets, self._lengths), places, strict=True):
            variable.assign(value)
        return self

    def call(self, queries: Any, k: Any = None, probes: Any = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scores and the identifiers of nearly the best candidates, best first.

        Args:
            queries: Embeddings, or features when there is a query model.
            k: int or a scalar tensor. Defaults to `None`, which is the constructor's.
            probes: int or a scalar tensor: how many lists are scored. Defaults to `None`, which is
                the constructor's.
        """
        self._check_indexed()
        k = self._k if k is None else k
        embedded = self._check_k(self._embed(queries), k, self.num_candidates())
        best, rows = self._search(embedded, k, probes)
        return best, filled(best, self._identifiers_of(rows))

    def _search(self, embedded: tf.Tensor, k: Any, probes: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scores and rows of the best candidates of the lists that look best."""
        centres = self._centres.read_value()
        probes = smaller(self.probes if probes is None else probes, tf.shape(centres)[0])
        _, lists = tf.math.top_k(self._compute_score(embedded, centres), k=probes)
        longest = tf.reduce_max(self._lengths.read_value())
        floats = probes * longest * tf.shape(embedded)[1]
        at_once = tf.maximum(AT_ONCE // tf.maximum(floats, 1), 1)
        return self._scan_some(embedded, lists, longest, k, at_once)

    def _scan_some(
        self, queries: tf.Tensor, lists: tf.Tensor, longest: tf.Tensor, k: Any, at_once: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scores and rows of the best, so many queries at a time."""
        count = tf.shape(queries)[0]
        turns = -(-count // at_once)

        def several() -> tuple[tf.Tensor, tf.Tensor]:
            some = [
                tf.reshape(
                    tf.pad(x, [[0, turns * at_once - count], [0, 0]]),
                    [turns, at_once, tf.shape(x)[1]],
                )
                for x in (queries, lists)
            ]
            found = tf.map_fn(
                lambda one: self._scan(one[0], one[1], longest, k),
                tuple(some),
                fn_output_signature=(tf.float32, tf.int32),
            )
            best, rows = (tf.reshape(x, [-1, tf.shape(x)[2]])[:count] for x in found)
            return best, rows

        return tf.cond(turns <= 1, lambda: self._scan(queries, lists, longest, k), several)

    def _scan(
        self, queries: tf.Tensor, lists: tf.Tensor, longest: tf.Tensor, k: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        nth = tf.range(longest)
        there = nth < tf.gather(self._lengths.read_value(), lists)[..., tf.newaxis]
        rows = tf.gather(self._offsets.read_value(), lists)[..., tf.newaxis] + nth
        shape = [tf.shape(queries)[0], tf.shape(lists)[1] * longest]
        # Behind the end of a list stands the next one, which may be probed too.
        rows = tf.reshape(tf.where(there, rows, 0), shape)
        found = tf.gather(self._candidates.read_value(), rows)
        scores = tf.squeeze(tf.matmul(found, queries[..., tf.newaxis]), axis=-1)
        scores = tf.where(tf.reshape(there, shape), scores, scores.dtype.min)
        # Fewer were scored than are asked for: the row is filled up.
        missing = tf.maximum(tf.cast(k, tf.int32) - shape[1], 0)
        scores = tf.pad(scores, [[0, 0], [0, missing]], constant_values=scores.dtype.min)
        best, order = tf.math.top_k(scores, k=k)
        return best, tf.gather(tf.pad(rows, [[0, 0], [0, missing]]), order, batch_dims=1)

    def recall(self, queries: Any, k: int | None = None, probes: int | None = None) -> float:
        """Returns which part of the `k` best candidates is found, the mean over queries.

        Args:
            queries: Embeddings, or features when there is a query model. Some hundred of those that
                are served say enough.
            k: int. Defaults to `None`, which is the constructor's.
            probes: int. Defaults to `None`, which is the constructor's.
        """
        self._check_indexed()
        k = self._k if k is None else k
        embedded = self._check_k(self._embed(queries), k, self.num_candidates())
        candidates = self._candidates.read_value()
        _, exact = best_rows(self._compute_score, embedded, candidates, k)
        scores, found = self._search(embedded, k, probes)
        # By scores, since of equal ones any may be found, and in double precision.
        wide = tf.cast(embedded, tf.float64)
        of_exact, of_found = (
            tf.einsum("qd,qnd->qn", wide, tf.cast(tf.gather(candidates, rows), tf.float64))
            for rows in (exact, found)
        )
        size = tf.norm(wide, axis=1) * tf.cast(
            tf.reduce_max(tf.norm(candidates, axis=1)), wide.dtype
        )
        rounding = 2.0**-51 * tf.cast(tf.shape(wide)[1], wide.dtype) * size
        limit = tf.reduce_min(of_exact, axis=1) - rounding
        there = scores > scores.dtype.min
        return float(
            tf.reduce_mean(tf.cast(there & (of_found >= limit[:, tf.newaxis]), tf.float32))
        )

    def choose_probes(self, queries: Any, recall: float = 0.95, k: int | None = None) -> int:
        """Takes the fewest probes that find a part of the best candidates, and returns them.

        Args:
            queries: As for `recall`.
            recall: float in (0, 1]: what is wanted on the mean. Defaults to `0.95`.
            k: int. Defaults to `None`, which is the constructor's.
        """
        if not 0 < recall <= 1:
            raise ValueError(
                explain(
                    "`recall`",
                    rule="must lie in (0, 1]",
                    received=f"recall={recall!r}",
                    where=self._where,
                )
            )
        self._check_indexed()
        low, high = 1, len(self._offsets.numpy())
        while low < high:
            middle = (low + high) // 2
            if self.recall(queries, k, middle) >= recall:
                high = middle
            else:
                low = middle + 1
        self.probes = low
        return low

    def count_higher(self, queries: Any, limits: Any) -> None:
        """Returns None: not every candidate is scored."""
        del queries, limits

    def is_exact(self) -> bool:
        """Returns False: only the lists that look best are scored."""
        return False

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer, and the dtype of its identifiers."""
        own = {"lists": self._lists, "probes": self.probes, "seed": self._seed}
        return {**super().get_config(), **own}

    def save_own_variables(self, store: Any) -> None:
        """Saves candidates, identifiers and lists, for Keras's files."""
        super().save_own_variables(store)
        if self._stored_id_dtype():
            store["centres"] = self._centres.numpy()
            store["offsets"] = self._offsets.numpy()
            store["lengths"] = self._lengths.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved, of any number of candidates."""
        if "centres" not in list(store.keys()):
            return
        candidates, identifiers = self._loaded(store)
        lists = (np.asarray(store[name]) for name in ("centres", "offsets", "lengths"))
        self._set(candidates, identifiers, *lists)
