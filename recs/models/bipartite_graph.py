"""Who took what, as a graph that vectors spread over."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from recs.data.ids import codes
from recs.data.interactions import Interactions

# Of a user's items; those before count for less than a thousandth.
_NEWEST = 10


class BipartiteGraph:
    """Users and items as nodes, an edge where a user took an item.

    A step of `spread` gives every node the sum of its neighbours' vectors, each divided by the root
    of both nodes' numbers of edges: `u' = A i` and `i' = A^T u` with
    `A_ui = 1 / sqrt(edges(u) edges(i))`.

    Args:
        data: Interactions; repeated ones are one edge. A user's are in the order of time where
            there is a timestamp, else of `data`.
    """

    def __init__(self, data: Interactions) -> None:
        users, self.users = codes(data.user)
        items, self.items = codes(data.item)
        edges = np.unique(np.stack([users, items], axis=1), axis=0)
        degrees = [np.bincount(edges[:, side]) for side in (0, 1)]
        weights = 1 / np.sqrt(degrees[0][edges[:, 0]] * degrees[1][edges[:, 1]])
        back = np.lexsort([edges[:, 0], edges[:, 1]])
        newest = _newest(users, items, data.timestamp)
        with tf.init_scope():
            self._newest = _matrix(*newest, (len(self.users), len(self.items)))
            self._to_users = _matrix(edges, weights, (len(self.users), len(self.items)))
            self._to_items = _matrix(
                edges[back][:, ::-1], weights[back], (len(self.items), len(self.users))
            )
            # How often each item was taken, repeats included.
            self.log_counts = tf.constant(np.log(np.bincount(items)), tf.float32)
            self.user_ids, self.item_ids = (_ids(one) for one in (self.users, self.items))

    def spread(self, users: tf.Tensor, items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what users get from their items, and items from their users.

        Args:
            users: `(users, dim)` float32, in the order of `users`.
            items: `(items, dim)` float32, in the order of `items`.
        """
        return (
            _product(self._to_users, self._to_items, items),
            _product(self._to_items, self._to_users, users),
        )

    def newest(self, items: tf.Tensor) -> tf.Tensor:
        """Returns for each user the mean of their newest items, each half the weight of its next.

        Args:
            items: `(items, dim)` float32, in the order of `items`.
        """
        return _rows_product(self._newest, items)


def _newest(
    users: np.ndarray, items: np.ndarray, timestamp: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns pairs of a user and one of their newest items, sorted, and what each counts."""
    order = np.lexsort([users] if timestamp is None else [timestamp, users])
    users, items = users[order], items[order]
    count = np.bincount(users)
    back = np.cumsum(count)[users] - 1 - np.arange(len(users))
    last = back < _NEWEST
    pairs, which = np.unique(
        np.stack([users[last], items[last]], axis=1), axis=0, return_inverse=True
    )
    weights = np.bincount(which.reshape(-1), 0.5 ** back[last])
    return pairs, weights / np.bincount(pairs[:, 0], weights)[pairs[:, 0]]


def places(ids: tf.Tensor, among: tf.Tensor) -> tf.Tensor:
    """Returns for each id its place among distinct ids, int32; -1 where it is none of them."""
    count = tf.shape(among)[0]
    found = tf.unique(tf.concat([among, ids], axis=0)).idx[count:]
    return tf.where(found < count, found, -1)


def _ids(ids: np.ndarray) -> tf.Tensor:
    return tf.constant(ids, tf.string if ids.dtype == object else tf.int64)


def _matrix(places: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> Any:
    return tf.sparse.SparseTensor(places.astype(np.int64), values.astype(np.float32), shape)


def _product(matrix: Any, transposed: Any, vectors: tf.Tensor) -> tf.Tensor:
    """Returns `matrix @ vectors`, several times as fast as `tf.sparse.sparse_dense_matmul`."""

    @tf.custom_gradient
    def run(vectors: tf.Tensor) -> Any:
        return _rows_product(matrix, vectors), lambda upstream: _rows_product(transposed, upstream)

    return run(vectors)


def _rows_product(matrix: Any, vectors: tf.Tensor) -> tf.Tensor:
    # Made in each step, as its shape must be known to the graph; that takes a tenth of the product.
    by_rows = tf.raw_ops.SparseTensorToCSRSparseMatrix(
        indices=matrix.indices, values=matrix.values, dense_shape=matrix.dense_shape
    )
    product = tf.raw_ops.SparseMatrixMatMul(a=by_rows, b=vectors)
    return tf.ensure_shape(product, [matrix.shape[0], vectors.shape[1]])
