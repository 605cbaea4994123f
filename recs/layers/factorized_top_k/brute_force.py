"""Exact retrieval from a matrix of candidates."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k import identifiers as ids
from recs.layers.factorized_top_k import inclusion
from recs.layers.factorized_top_k.best import best_rows
from recs.layers.factorized_top_k.exclusion import check_rows, filled
from recs.layers.factorized_top_k.top_k import TopK
from recs.layers.id_numbers import id_numbers


@keras.saving.register_keras_serializable("recs")
class BruteForce(TopK):
    """The `k` best candidates of a matrix, by scoring all of them.

    A matrix product and a top-k, some candidates at a time: fast up to a few million candidates,
    exact, and in 32 MB beside the candidates, whatever their number. Of equal scores the candidate
    that was given first comes first; scores that differ only by float32's rounding come in any
    order. Identifiers need not be unique, but exclusions and inclusions want them so: of equal ones
    only the first can be included, and an excluded one may push others out.

    State: candidates (float32) and identifiers (any dtype, strings included) are saved by
    `.keras` files, `save_weights`, `tf.train.Checkpoint` and exports, and restored whatever the
    number of candidates in the layer before. They are no Keras weights, which can neither hold
    strings nor change their shape, so `weights` and `summary()` do not list them. An index that
    is built again takes effect in functions that are traced already.

    Args:
        query_model: A layer or function from features to embeddings. Defaults to `None`: queries
            are embeddings already.
        k: int. How many candidates to return when a call does not say. Defaults to `10`.
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.Model`.

    Shapes: queries `(batch, dim)` -> scores `(batch, k)` float32, identifiers `(batch, k)` in the
    dtype they were given in, int32 row numbers by default.

    Raises:
        ValueError: when there is no index, when candidates are no matrix, are not finite or have
            another number of rows than identifiers, or when `k` exceeds the number of candidates;
            in a graph the latter is a `tf.errors.InvalidArgumentError` at run time.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.factorized_top_k import BruteForce
    >>> index = BruteForce(k=2).index(np.eye(3, dtype="float32"), np.array(["a", "b", "c"]))
    >>> scores, ids = index(np.array([[0.0, 2.0, 1.0]]))
    >>> ids.numpy().tolist()
    [[b'b', b'c']]

    ```

    Reference: `tfrs.layers.factorized_top_k.BruteForce`.
    """

    def __init__(
        self, query_model: Any = None, k: int = 10, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(k=k, query_model=query_model, name=name, **kwargs)
        # All made here, and of unknown length, so that a checkpoint finds them before `index` ran.
        self._candidates = growing(tf.zeros([0, 0]))
        self._numbers = growing(tf.zeros([0], tf.int64))
        self._strings = growing(tf.constant([], tf.string))
        self._id_dtype = tf.Variable("", trainable=False, name="id_dtype")
        # Identifiers as numbers in order, and the row of each, to find candidates by.
        self._sorted = growing(tf.zeros([0], tf.int64))
        self._order = growing(tf.zeros([0], tf.int32))

    def index(self, candidates: Any, identifiers: Any = None) -> BruteForce:
        """Builds the index from a matrix of candidates; an index built before is dropped.

        Args:
            candidates: `(candidates, dim)` embeddings, stored as float32.
            identifiers: `(candidates,)` ids to return. Defaults to `None`, for row numbers.

        Returns:
            The layer itself.
        """
        candidates, identifiers = self._checked(candidates, identifiers)
        self._candidates.assign(candidates)
        is_string = identifiers.dtype == tf.string
        encoded = ids.encode(identifiers)
        self._strings.assign(encoded if is_string else tf.constant([], tf.string))
        self._numbers.assign(tf.zeros([0], tf.int64) if is_string else encoded)
        self._id_dtype.assign(identifiers.dtype.name)
        numbers = id_numbers(encoded, self._where)
        order = tf.argsort(numbers, stable=True)
        self._sorted.assign(tf.gather(numbers, order))
        self._order.assign(order)
        return self

    def _checked(self, candidates: Any, identifiers: Any) -> tuple[tf.Tensor, tf.Tensor]:
        candidates = tf.cast(tf.convert_to_tensor(candidates), tf.float32)
        if identifiers is None:
            identifiers = tf.range(tf.shape(candidates)[0] if candidates.shape.rank else 0)
        identifiers = tf.convert_to_tensor(identifiers)
        if candidates.shape.rank != 2 or identifiers.shape != candidates.shape[:1]:
            raise ValueError(
                explain(
                    "`candidates` and `identifiers`",
                    rule="must be a matrix and a vector with as many rows",
                    received=f"shapes {tuple(candidates.shape)} and {tuple(identifiers.shape)}",
                    where=self._where,
                )
            )
        if tf.executing_eagerly() and not bool(tf.reduce_all(tf.math.is_finite(candidates))):
            rows = tf.where(~tf.reduce_all(tf.math.is_finite(candidates), axis=1))[:, 0]
            raise ValueError(
                explain(
                    "`candidates`",
                    rule="must be finite",
                    received=f"NaN or infinity in {len(rows)} rows, such as row {int(rows[0])}",
                    where=self._where,
                )
            )
        return candidates, identifiers

    def call(self, queries: Any, k: Any = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scores and the identifiers of the best candidates, best first.

        Args:
            queries: Embeddings, or features when there is a query model.
            k: int or a scalar tensor. Defaults to `None`, which is the constructor's.
        """
        self._check_indexed()
        k = self._k if k is None else k
        embedded = self._check_k(self._embed(queries), k, self.num_candidates())
        best, rows = best_rows(self._compute_score, embedded, self._candidates.read_value(), k)
        return best, self._identifiers_of(rows)

    def _check_indexed(self) -> None:
        with tf.init_scope():
            empty = self._candidates.read_value().shape == (0, 0)
        if not self._stored_id_dtype() or empty:
            raise self._not_indexed()

    def count_higher(self, queries: Any, limits: Any) -> tf.Tensor | None:
        """Returns how many candidates score higher than limits; see `TopK.count_higher`."""
        candidates = self._candidates.read_value()
        return self._count_rows_above(self._embed(queries), candidates, limits)

    def embeddings_of(self, identifiers: Any) -> tuple[tf.Tensor, tf.Tensor] | None:
        """Returns candidates' embeddings; see `TopK.embeddings_of`."""
        with tf.init_scope():
            numbers = self._sorted.read_value()
            unique = bool(tf.reduce_all(numbers[1:] != numbers[:-1])) and len(numbers) > 0
        if not unique or type(self)._compute_score is not TopK._compute_score:
            return None
        rows, known = self._rows_of(tf.convert_to_tensor(identifiers))
        return tf.gather(self._candidates.read_value(), rows), tf.cast(known, tf.int32)

    def identifier_dtype(self) -> tf.DType:
        """Returns the dtype of the identifiers."""
        self._check_indexed()
        return tf.as_dtype(self._stored_id_dtype())

    def _identifiers_of(self, rows: tf.Tensor) -> tf.Tensor:
        dtype = self._stored_id_dtype()
        stored = self._strings if dtype == "string" else self._numbers
        return ids.decode(tf.gather(stored.read_value(), rows), dtype)

    def query_with_inclusions(
        self, queries: Any, inclusions: Any, k: Any = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the best of the candidates that each query names; only these are scored.

        Args:
            queries: Embeddings, or features when there is a query model.
            inclusions: `(batch, number)` identifiers. Repeated and unknown ones count for nothing,
                so rows may be padded with either.
            k: int or a scalar tensor. Defaults to `None`, which is the constructor's.

        Returns:
            Scores and identifiers, `(batch, min(k, number))` each, best first. Where a query names
            fewer, the rest of its row has the lowest float32 as score, and the filler as
            identifier: `""`, or -1.
        """
        dtype = self._stored_id_dtype()
        if not dtype:
            raise self._not_indexed()
        inclusions = tf.convert_to_tensor(inclusions)
        inclusion.check_kind("inclusions", inclusions, tf.as_dtype(dtype), self._where)
        k = self._k if k is None else k
        queries = self._check_k(self._embed(queries), k, self.num_candidates())
        inclusions = check_rows("inclusions", inclusions, queries, self._where)
        rows, allowed = inclusion.without_repeats(*self._rows_of(inclusions))
        candidates = self._candidates.read_value()
        if type(self)._compute_score is TopK._compute_score:
            scores = tf.einsum("qd,qnd->qn", queries, tf.gather(candidates, rows))
        else:
            scores = tf.gather(self._compute_score(queries, candidates), rows, batch_dims=1)
        scores = inclusion.among(tf.cast(scores, tf.float32), allowed)
        best, order = tf.math.top_k(scores, k=inclusion.smaller(k, tf.shape(rows)[1]))
        return best, filled(best, self._identifiers_of(tf.gather(rows, order, batch_dims=1)))

    def _rows_of(self, asked: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the row of each identifier and whether it is known, both of its shape."""
        dtype = tf.as_dtype(self._stored_id_dtype())
        given = asked if dtype == tf.string else ids.encode(tf.cast(asked, _wide(dtype)))
        flat = tf.reshape(given, [-1])
        numbers, order = self._sorted.read_value(), self._order.read_value()
        place = tf.searchsorted(numbers, id_numbers(flat, self._where))
        rows = tf.gather(order, tf.minimum(place, tf.shape(order)[0] - 1))
        stored = self._strings if dtype == tf.string else self._numbers
        known = tf.gather(stored.read_value(), rows) == flat
        return tf.reshape(rows, tf.shape(asked)), tf.reshape(known, tf.shape(asked))

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
        count = tf.shape(self._candidates.read_value())[0]
        return int(count) if tf.executing_eagerly() else count

    def is_exact(self) -> bool:
        """Returns True: every candidate is scored."""
        return True

    @property
    def in_order(self) -> bool:
        """Returns True: the best come first."""
        return True

    def _stored_id_dtype(self) -> str:
        """Returns the dtype of the identifiers, or nothing before there are any."""
        # While a graph is traced the value of now counts: dtypes are static in it.
        with tf.init_scope():
            return self._id_dtype.numpy().decode()

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer, and the dtype of its identifiers."""
        return {**super().get_config(), "id_dtype": self._stored_id_dtype()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BruteForce:
        """Rebuilds a layer from `get_config`, without candidates."""
        config = dict(config)
        dtype = config.pop("id_dtype", "")
        layer = super().from_config(config)
        layer._id_dtype.assign(dtype)
        return layer

    def save_own_variables(self, store: Any) -> None:
        """Saves candidates and identifiers, for Keras's files."""
        dtype = self._stored_id_dtype()
        if not dtype:
            return
        store["candidates"] = self._candidates.numpy()
        store["id_dtype"] = np.frombuffer(dtype.encode(), "uint8")
        if dtype == "string":
            store["id_bytes"], store["id_lengths"] = ids.strings_to_arrays(self._strings.numpy())
        else:
            store["id_numbers"] = self._numbers.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved, of any number of candidates."""
        if "candidates" not in list(store.keys()):
            return
        self.index(*self._loaded(store))

    def _loaded(self, store: Any) -> tuple[np.ndarray, tf.Tensor]:
        dtype = np.asarray(store["id_dtype"], "uint8").tobytes().decode()
        if dtype == "string":
            loaded = tf.constant(
                ids.arrays_to_strings(store["id_bytes"], store["id_lengths"]), tf.string
            )
        else:
            loaded = ids.decode(tf.constant(np.asarray(store["id_numbers"])), dtype)
        return np.asarray(store["candidates"]), loaded


def _wide(dtype: tf.DType) -> tf.DType:
    """Returns the widest dtype of the kind, so that what is asked for does not wrap around."""
    return tf.float64 if dtype.is_floating else tf.int64


def growing(initial: tf.Tensor) -> tf.Variable:
    """Returns a variable of the tensor's rank that may take any shape later."""
    shape = tf.TensorShape([None] * initial.shape.rank)
    return tf.Variable(initial, trainable=False, shape=shape)
