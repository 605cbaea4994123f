"""Approximate retrieval with ScaNN."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k import identifiers as ids
from recs.layers.factorized_top_k.scann_searcher import ScannSearcher, scann_ops
from recs.layers.factorized_top_k.top_k import TopK

_OPTIONS = (
    "distance_measure",
    "num_leaves",
    "num_leaves_to_search",
    "training_iterations",
    "dimensions_per_block",
    "num_reordering_candidates",
    "parallelize_batch_searches",
)


@keras.saving.register_keras_serializable("recs")
class ScaNN(TopK):
    """Nearly the `k` best candidates, without scoring all of them.

    ScaNN parts the candidates into leaves, by k-means. Of a query it searches the leaves that are
    closest, with candidates and query compressed, and may score the best again, exactly. The
    package `scann` is no dependency: `pip install "recs[scann]"`.

    Where the leaves that are searched hold fewer than `k` candidates, the row ends in NaN scores,
    beside any identifier. Scores have no gradient.

    State: the searcher and identifiers (any dtype, strings included) are saved by `.keras` files,
    `save_weights`, `tf.train.Checkpoint` and by `tf.saved_model.save` with
    `tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])`. An index that is built again is
    searched by calls and by functions traced later; functions traced before fail and say so.

    Args:
        query_model: A layer or function from features to embeddings. Defaults to `None`: queries
            are embeddings already.
        k: int. How many candidates to return when a call does not say. Defaults to `10`.
        distance_measure: `"dot_product"`, or `"squared_l2"`, with which scores are distances and
            the least is best. Defaults to `"dot_product"`.
        num_leaves: int. How many parts, at most as many as candidates; about the root of their
            number is usual. Defaults to `100`.
        num_leaves_to_search: int. How many of them a query searches: more find more, and take
            longer. Defaults to `10`.
        training_iterations: int. Rounds of k-means. Defaults to `12`.
        dimensions_per_block: int. Dimensions that are compressed together: more take less memory
            and find less. Defaults to `2`.
        num_reordering_candidates: int. How many candidates are scored exactly at the end, which
            keeps the candidates as they are. Defaults to `None`, for none.
        parallelize_batch_searches: bool. Whether a batch is searched by several threads. Defaults
            to `True`.
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.Model`.

    Shapes: queries `(batch, dim)`, or one of `(dim,)` -> scores `(batch, k)` float32, identifiers
    `(batch, k)` in the dtype they were given in, int32 row numbers by default.

    Raises:
        ImportError: when `scann` is not installed, or not for this TensorFlow.
        ValueError: when there is no index, fewer candidates than leaves, candidates that are no
            matrix or have another number of rows than identifiers, or fewer than `k`.

    Example:
    ```python
    >>> from recs.layers.factorized_top_k import ScaNN, TopK
    >>> issubclass(ScaNN, TopK)  # index = ScaNN(k=10).index(candidates, identifiers)
    True

    ```

    Reference: [Guo et al., 2020](https://arxiv.org/abs/1908.10396);
    `tfrs.layers.factorized_top_k.ScaNN`.
    """

    def __init__(
        self,
        query_model: Any = None,
        k: int = 10,
        distance_measure: str = "dot_product",
        num_leaves: int = 100,
        num_leaves_to_search: int = 10,
        training_iterations: int = 12,
        dimensions_per_block: int = 2,
        num_reordering_candidates: int | None = None,
        parallelize_batch_searches: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(k=k, query_model=query_model, name=name, **kwargs)
        self._ops = scann_ops(self._where)
        if distance_measure not in ("dot_product", "squared_l2"):
            raise ValueError(
                explain(
                    "`distance_measure`",
                    rule="must be 'dot_product' or 'squared_l2'",
                    received=f"distance_measure={distance_measure!r}",
                    where=self._where,
                )
            )
        self.distance_measure = distance_measure
        self.num_leaves = num_leaves
        self.num_leaves_to_search = num_leaves_to_search
        self.training_iterations = training_iterations
        self.dimensions_per_block = dimensions_per_block
        self.num_reordering_candidates = num_reordering_candidates
        self.parallelize_batch_searches = parallelize_batch_searches
        self._searcher = ScannSearcher(self._where)
        shape = tf.TensorShape([None])
        self._numbers = tf.Variable(tf.zeros([0], tf.int64), trainable=False, shape=shape)
        self._strings = tf.Variable(tf.constant([], tf.string), trainable=False, shape=shape)
        self._id_dtype = tf.Variable("", trainable=False, name="id_dtype")

    def index(self, candidates: Any, identifiers: Any = None) -> ScaNN:
        """Builds the index from a matrix of candidates; an index built before is dropped.

        Args:
            candidates: `(candidates, dim)` embeddings.
            identifiers: `(candidates,)` ids to return. Defaults to `None`, for row numbers.

        Returns:
            The layer itself.
        """
        candidates = tf.cast(tf.convert_to_tensor(candidates), tf.float32)
        if identifiers is None:
            identifiers = tf.range(tf.shape(candidates)[0] if candidates.shape.rank else 0)
        identifiers = tf.convert_to_tensor(identifiers)
        self._check(candidates, identifiers)
        builder = self._ops.builder(candidates, self._k, self.distance_measure)
        builder = builder.tree(
            num_leaves=self.num_leaves,
            num_leaves_to_search=self.num_leaves_to_search,
            training_iterations=self.training_iterations,
        ).score_ah(dimensions_per_block=self.dimensions_per_block)
        if self.num_reordering_candidates is not None:
            builder = builder.reorder(self.num_reordering_candidates)
        self._searcher.keep(self._ops.scann_to_tensors(builder.build().searcher_handle))
        self._keep_ids(identifiers)
        return self

    def _check(self, candidates: tf.Tensor, identifiers: tf.Tensor) -> None:
        what, rule = "", ""
        if candidates.shape.rank != 2 or identifiers.shape != candidates.shape[:1]:
            what, rule = "`candidates` and `identifiers`", "must be a matrix and a vector with as "
            rule += "many rows"
        elif candidates.shape[0] < self.num_leaves:
            what, rule = "`num_leaves`", "must not exceed the number of candidates"
        if what:
            shapes = f"shapes {tuple(candidates.shape)} and {tuple(identifiers.shape)}"
            raise ValueError(
                explain(
                    what,
                    rule=rule,
                    received=f"{shapes}, num_leaves={self.num_leaves}",
                    where=self._where,
                    remedy="For few candidates, `BruteForce` is fast, and exact.",
                )
            )

    def _keep_ids(self, identifiers: tf.Tensor) -> None:
        is_string = identifiers.dtype == tf.string
        encoded = ids.encode(identifiers)
        self._strings.assign(encoded if is_string else tf.constant([], tf.string))
        self._numbers.assign(tf.zeros([0], tf.int64) if is_string else encoded)
        self._id_dtype.assign(identifiers.dtype.name)

    def call(self, queries: Any, k: Any = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scores and the identifiers of nearly the best candidates, best first.

        Args:
            queries: Embeddings, or features when there is a query model.
            k: int or a scalar tensor. Defaults to `None`, which is the constructor's.
        """
        dtype = self._stored_id_dtype()
        if not dtype:
            raise self._not_indexed()
        k = self._k if k is None else k
        embedded = self._embed(queries)
        alone = embedded.shape.rank == 1
        embedded = tf.expand_dims(embedded, 0) if alone else embedded
        # The op has no gradient; without this, a tape around it would ask for one and fail.
        embedded = self._check_k(tf.stop_gradient(embedded), k, self.num_candidates())
        rows, scores = self._ops.scann_search_batched(
            self._searcher.handle(), embedded, k, -1, -1, self.parallelize_batch_searches
        )
        stored = (self._strings if dtype == "string" else self._numbers).read_value()
        # Where there is nothing, the row number may be any.
        known = tf.clip_by_value(rows, 0, tf.maximum(tf.shape(stored)[0] - 1, 0))
        found = ids.decode(tf.gather(stored, known), dtype)
        # The op gives no columns to a batch of none, and tells no shapes.
        shape = [tf.shape(embedded)[0] if embedded.shape[0] is None else embedded.shape[0], k]
        scores, found = tf.reshape(scores, shape), tf.reshape(found, shape)
        return (scores[0], found[0]) if alone else (scores, found)

    def compute_output_spec(
        self, queries: Any, k: Any = None, **_: Any
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Returns shapes and dtypes: a functional model is rebuilt before its state is loaded."""
        dtype = self._stored_id_dtype()
        if not dtype:
            raise self._not_indexed()
        k = self._k if k is None else k
        shape = (keras.tree.flatten(queries)[0].shape[0], k if isinstance(k, int) else None)
        return keras.KerasTensor(shape, "float32"), keras.KerasTensor(shape, dtype)

    def num_candidates(self) -> Any:
        """Returns how many candidates are indexed: an int, or a tensor while a graph is traced."""
        count = tf.maximum(tf.shape(self._strings)[0], tf.shape(self._numbers)[0])
        return int(count) if tf.executing_eagerly() else count

    def is_exact(self) -> bool:
        """Returns False: some of the best may be missed."""
        return False

    def _stored_id_dtype(self) -> str:
        """Returns the dtype of the identifiers, or nothing before there are any."""
        with tf.init_scope():
            return self._id_dtype.numpy().decode()

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer, and the dtype of its identifiers."""
        options = {name: getattr(self, name) for name in _OPTIONS}
        return {**super().get_config(), **options, "id_dtype": self._stored_id_dtype()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ScaNN:
        """Rebuilds a layer from `get_config`, without candidates."""
        config = dict(config)
        dtype = config.pop("id_dtype", "")
        layer = super().from_config(config)
        layer._id_dtype.assign(dtype)
        return layer

    def save_own_variables(self, store: Any) -> None:
        """Saves the searcher and the identifiers, for Keras's files."""
        dtype = self._stored_id_dtype()
        if not dtype:
            return
        self._searcher.save(store)
        store["id_dtype"] = np.frombuffer(dtype.encode(), "uint8")
        if dtype == "string":
            store["id_bytes"], store["id_lengths"] = ids.strings_to_arrays(self._strings.numpy())
        else:
            store["id_numbers"] = self._numbers.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved, of any number of candidates."""
        if "id_dtype" not in list(store.keys()):
            return
        self._searcher.load(store)
        dtype = np.asarray(store["id_dtype"], "uint8").tobytes().decode()
        if dtype == "string":
            strings = ids.arrays_to_strings(store["id_bytes"], store["id_lengths"])
            self._keep_ids(tf.constant(strings, tf.string))
        else:
            numbers = tf.constant(np.asarray(store["id_numbers"]), tf.int64)
            self._keep_ids(ids.decode(numbers, dtype))
