"""Exact retrieval from a matrix of candidates."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k import identifiers as ids
from recs.layers.factorized_top_k.top_k import TopK


@keras.saving.register_keras_serializable("recs")
class BruteForce(TopK):
    """The `k` best candidates of a matrix, by scoring all of them.

    One matrix product and a top-k: fast up to a few million candidates, and exact.

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
        ValueError: when there is no index, when candidates are no matrix or have another number
            of rows than identifiers, or when `k` exceeds the number of candidates; in a graph the
            latter is a `tf.errors.InvalidArgumentError` at run time.

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
        self._candidates = _growing(tf.zeros([0, 0]))
        self._numbers = _growing(tf.zeros([0], tf.int64))
        self._strings = _growing(tf.constant([], tf.string))
        self._id_dtype = tf.Variable("", trainable=False, name="id_dtype")

    def index(self, candidates: Any, identifiers: Any = None) -> BruteForce:
        """Builds the index from a matrix of candidates; an index built before is dropped.

        Args:
            candidates: `(candidates, dim)` embeddings, stored as float32.
            identifiers: `(candidates,)` ids to return. Defaults to `None`, for row numbers.

        Returns:
            The layer itself.
        """
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
        self._candidates.assign(candidates)
        is_string = identifiers.dtype == tf.string
        encoded = ids.encode(identifiers)
        self._strings.assign(encoded if is_string else tf.constant([], tf.string))
        self._numbers.assign(tf.zeros([0], tf.int64) if is_string else encoded)
        self._id_dtype.assign(identifiers.dtype.name)
        return self

    def call(self, queries: Any, k: Any = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scores and the identifiers of the best candidates, best first.

        Args:
            queries: Embeddings, or features when there is a query model.
            k: int or a scalar tensor. Defaults to `None`, which is the constructor's.
        """
        dtype = self._stored_id_dtype()
        with tf.init_scope():
            empty = self._candidates.read_value().shape == (0, 0)
        if not dtype or empty:
            raise self._not_indexed()
        k = self._k if k is None else k
        scores = self._compute_score(self._embed(queries), self._candidates.read_value())
        scores = self._check_k(scores, k, self.num_candidates())
        best, rows = tf.math.top_k(tf.cast(scores, tf.float32), k=k)
        stored = self._strings if dtype == "string" else self._numbers
        return best, ids.decode(tf.gather(stored.read_value(), rows), dtype)

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
        dtype = np.asarray(store["id_dtype"], "uint8").tobytes().decode()
        if dtype == "string":
            loaded = tf.constant(
                ids.arrays_to_strings(store["id_bytes"], store["id_lengths"]), tf.string
            )
        else:
            loaded = ids.decode(tf.constant(np.asarray(store["id_numbers"])), dtype)
        self.index(np.asarray(store["candidates"]), loaded)


def _growing(initial: tf.Tensor) -> tf.Variable:
    """Returns a variable of the tensor's rank that may take any shape later."""
    shape = tf.TensorShape([None] * initial.shape.rank)
    return tf.Variable(initial, trainable=False, shape=shape)
