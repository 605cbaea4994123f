"""Vectors of users and items that spread over the graph of who took what."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from recs.data.interactions import Interactions
from recs.errors import explain
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.losses.functional.catalogue import catalogue_softmax
from recs.models.bipartite_graph import BipartiteGraph, places
from recs.models.two_tower import TwoTower
from recs.tasks.sample_weights import as_columns, checked_weights, flat_weights

# Users and items whose vectors are written at once.
_ROWS = 65536


@keras.saving.register_keras_serializable("recs")
class LightGCN(TwoTower):
    """Recommends by vectors of users and items that were mixed with those of their neighbours.

    Users `u` and items `i` have embeddings `e^0`; a layer takes of every neighbour
    `e^(l+1)_u = sum_i e^l_i / sqrt(n_u n_i)`, likewise for items, where `n` counts neighbours;
    and the vector is the sum of all layers divided by its length. Scores are cosines, to which
    `popularity` adds `b log n_i`, as one more number of the vectors. Without layers this is matrix
    factorization.

    The loss is the softmax over the whole catalogue, with no sampling in it: with scores `s_ui` and
    of the items `P_u` of each user of the batch

        loss = sum_u w_u (log sum_j exp(s_uj / t) - mean_{i in P_u} s_ui / t),
        w_u = n_u^(1 - a) / sum_v n_v^(1 - a)

    and with `recency` the mean is weighted by `exp(r x)`, where `x` runs from 0 to 1 along the
    user's items, the newest last.

    A user costs one row of scores, whatever the number of their items, so a batch is users with all
    their items: rows of `recs.data.by_user`. Every step moves all embeddings, and costs as much as
    the graph has edges. This suits catalogues up to some hundred thousand items; beyond, use
    `TwoTower`, or `SequentialRetrieval` with sampled negatives.

    After training, `index` writes the vectors of all users and items, and `recommend`, exports and
    everything else are as in `TwoTower`. A user or item outside the graph has a zero vector.

    Masking: users and items of a batch that the graph does not have are left out of the loss.
    State: embeddings, vectors, popularity, the index, ids and titles, all in `.keras` files; the
    graph is not saved: call `set_graph` before more training.

    Args:
        user: The column of user ids. Defaults to `"user_id"`.
        item: The column of item ids, in data. Defaults to `"item_id"`.
        items: The column of the lists of items, in batches. Defaults to `"items"`.
        embedding_dim: int, positive. Length of each embedding. Defaults to `64`.
        num_layers: int, at least 0. How far vectors spread. Defaults to `2`.
        temperature: float, positive. Smaller looks more at the items that are mistaken for a
            user's. Defaults to `0.1`.
        popularity: float, the `b` above, where `n_i` is how often training has the item. Cosines
            cannot tell of two items that suit a user equally the one that more people take; with
            0.02 they can. Defaults to `0.0`.
        user_weight: float, the `a` above. 0 counts every interaction alike, 1 every user. Defaults
            to `0.0`.
        recency: float, the `r` above. 0 counts a user's old and new items alike; for users who will
            be asked what comes next, 2 or 3 serve better. Defaults to `0.0`.
        last_items: float, at least 0. With it a user's vector, once trained, has the mean of their
            newest items' vectors added, times this, and is normalized again; the newest item is
            half of that mean, the one before a quarter. Who is asked what comes next is nearer to
            where they were last. Defaults to `0.0`.
        stddev: float, positive. Of the normal distribution of the initial embeddings. Lengths do
            not matter for scores, but make a step of an optimizer turn a vector less. Defaults to
            `0.1`.
        id_dtype: `"string"` or `"int64"`. Defaults to `"string"`.
        seed: int. Decides all initial values. Defaults to `None`: drawn from Python's `random`,
            which `keras.utils.set_random_seed` seeds.
        **kwargs: The arguments of `keras.Model`.

    Shapes: a dict of users `(batch,)` and ragged items `(batch, None)` -> a scalar loss; a dict of
        users and items `(batch,)` -> a pair of `(batch, dim)`.

    Raises:
        ValueError: when a number is out of range, or there is no graph.

    Example:
    ```python
    >>> import keras
    >>> from recs.data import Interactions, by_user
    >>> from recs.models import LightGCN
    >>> log = Interactions({"user": [1, 1, 2, 2, 3, 3, 4], "item": [1, 2, 1, 2, 3, 4, 3]})
    >>> model = LightGCN(user="user", item="item", embedding_dim=8, id_dtype="int64", seed=1)
    >>> model.set_graph(log).compile(optimizer=keras.optimizers.Adam(0.05))
    >>> rows = by_user(log).to_dataset(["user", "items"], batch_size=4)
    >>> history = model.fit(rows, epochs=20, verbose=0)
    >>> model.index([1, 2, 3, 4]).recommend([4], k=2).ids.tolist()
    [[3, 4]]

    ```

    Reference: [He et al., 2020](https://arxiv.org/abs/2002.02126); the loss as studied by
    [Wu et al., 2022](https://arxiv.org/abs/2201.02327), here over all items.
    """

    def __init__(
        self,
        *,
        user: str = "user_id",
        item: str = "item_id",
        items: str = "items",
        embedding_dim: int = 64,
        num_layers: int = 2,
        temperature: float = 0.1,
        popularity: float = 0.0,
        user_weight: float = 0.0,
        recency: float = 0.0,
        last_items: float = 0.0,
        stddev: float = 0.1,
        id_dtype: str = "string",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        _check(num_layers=(num_layers, num_layers >= 0, "at least 0"))
        _check(temperature=(temperature, temperature > 0, "positive"))
        _check(stddev=(stddev, stddev > 0, "positive"))
        _check(last_items=(last_items, last_items >= 0, "at least 0"))
        super().__init__(
            user=user,
            item=item,
            embedding_dim=embedding_dim,
            id_dtype=id_dtype,
            normalize=True,
            temperature=temperature,
            item_bias=popularity != 0,
            seed=seed,
            **kwargs,
        )
        self._arguments = {
            "user": user,
            "item": item,
            "items": items,
            "embedding_dim": embedding_dim,
            "num_layers": num_layers,
            "temperature": temperature,
            "popularity": popularity,
            "user_weight": user_weight,
            "recency": recency,
            "last_items": last_items,
            "stddev": stddev,
            "id_dtype": id_dtype,
            "seed": seed,
        }
        self.items_column = items
        self.num_layers = num_layers
        self.temperature = temperature
        self.popularity_weight = popularity
        self.user_weight = user_weight
        self.recency = recency
        self.last_items = last_items
        # The towers hold what was computed; it is these tables that learn.
        self.query_tower.trainable = False
        self.candidate_tower.trainable = False
        drawn = random.randrange(2**31) if seed is None else seed
        self.user_embedding, self.item_embedding = (
            DynamicEmbedding(
                embedding_dim,
                keras.initializers.RandomNormal(stddev=stddev),
                key_dtype=id_dtype,
                seed=drawn + number,
                name=name,
            )
            for number, name in ((7, "user_embedding"), (1013, "item_embedding"))
        )
        self._graph: BipartiteGraph | None = None

    def set_graph(self, train: Interactions) -> LightGCN:
        """Sets who took what, which vectors spread over, and popularity; returns the model.

        Args:
            train: the interactions that training may know.
        """
        self.set_popularity(train.item_counts())
        self._graph = BipartiteGraph(train)
        self.train_function = self.test_function = None  # They were traced with another graph.
        return self

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the softmax loss over the catalogue of a batch of users.

        Args:
            inputs: a dict with the columns of users and of their items, and weights of the users as
                `"sample_weight"`; or `(columns, labels, weights)`, labels being 1.
            training: whether the model is trained.
        """
        inputs = as_columns(inputs, f"LightGCN '{self.name}'")
        graph = self._known_graph()
        users, items = self._vectors(graph, training)
        user = places(inputs[self.query_tower.column], graph.user_ids)
        liked = self._lists(inputs)
        row, item = liked.value_rowids(), places(liked.values, graph.item_ids)
        share = tf.exp(self.recency * _along(liked))
        known = tf.logical_and(item >= 0, tf.gather(user, row) >= 0)
        row, item, share = (tf.boolean_mask(one, known) for one in (row, item, share))
        count = tf.math.unsorted_segment_sum(tf.ones_like(share), row, tf.size(user))
        shares = tf.math.unsorted_segment_sum(share, row, tf.size(user))
        positive = share[:, tf.newaxis] * tf.gather(items, item)
        positive = tf.math.unsorted_segment_sum(positive, row, tf.size(user))
        positive = tf.math.divide_no_nan(positive, shares[:, tf.newaxis])
        weight = tf.where(count > 0, tf.pow(tf.maximum(count, 1.0), 1 - self.user_weight), 0.0)
        if (given := checked_weights(flat_weights(inputs), f"LightGCN '{self.name}'")) is not None:
            weight = weight * tf.cast(given, weight.dtype)
        weight = tf.math.divide_no_nan(weight, tf.reduce_sum(weight))
        queries = tf.gather(users, tf.maximum(user, 0)) / self.temperature
        return catalogue_softmax(queries, items, positive, weight, training)

    def _lists(self, inputs: Any) -> tf.RaggedTensor:
        """Returns the items of each user."""
        liked = inputs.get(self.items_column)
        if isinstance(liked, tf.RaggedTensor):
            return liked
        kind = "no such column" if liked is None else f"shape {tuple(liked.shape)}"
        raise ValueError(
            explain(
                f"Column '{self.items_column}'",
                rule="must hold the list of each user's items, as a ragged tensor",
                received=f"{kind}; the columns are {', '.join(inputs)}",
                where=f"LightGCN '{self.name}'",
                remedy="Make the batches of users: `recs.data.by_user(train).to_dataset(...)`.",
            )
        )

    def _examples_summed(self, inputs: Any) -> Any:
        return None  # The loss is a mean.

    def _vectors(self, graph: BipartiteGraph, training: bool) -> tuple[Any, Any]:
        """Returns the vectors of all users and items of the graph."""
        users = self.user_embedding(graph.user_ids, training=training)
        items = self.item_embedding(graph.item_ids, training=training)
        layers = [(users, items)]
        for _ in range(self.num_layers):
            layers.append(graph.spread(*layers[-1]))
        users, items = (
            ops.normalize(sum(one[1:], start=one[0]), axis=-1) for one in zip(*layers, strict=True)
        )
        if not self.popularity_weight:
            return users, items
        # One more dimension: the dot product then has the item's popularity in it.
        bias = self.popularity_weight * graph.log_counts[:, tf.newaxis]
        return (
            ops.concatenate([users, ops.ones_like(users[:, :1])], axis=1),
            ops.concatenate([items, bias], axis=1),
        )

    def _with_last_items(self, graph: BipartiteGraph, users: Any, items: Any) -> Any:
        """Returns the users' vectors, moved towards those of their newest items."""
        if not self.last_items:
            return users
        return ops.normalize(users + self.last_items * graph.newest(items), axis=-1)

    def _known_graph(self) -> BipartiteGraph:
        if self._graph is None:
            raise ValueError(
                explain(
                    "The graph",
                    rule="must be there before training",
                    received="none",
                    where=f"LightGCN '{self.name}'",
                    remedy="Call `model.set_graph(train)`.",
                )
            )
        return self._graph

    def index(self, items: Any, titles: Sequence[str] | None = None) -> LightGCN:
        """Computes all vectors and encodes the catalogue; returns the model.

        Call it after training, and again after more of it. A loaded model, which has no graph,
        keeps the vectors it was saved with.

        Args:
            items: ids, a dict of columns, or `recs.data.Items`, which brings its titles.
            titles: a title for each. Defaults to `None`: those of `Items`, or none.
        """
        self.update_vectors()
        super().index(items, titles)
        return self

    def update_vectors(self) -> LightGCN:
        """Spreads the embeddings over the graph, for `query_vectors` and `candidate_vectors`.

        `index` does it too. A loaded model, which has no graph, keeps the vectors it was saved
        with. Returns the model.
        """
        if self._graph is not None:
            dim = self.user_embedding.output_dim
            users, vectors = self._vectors(self._graph, training=False)
            users = self._with_last_items(self._graph, users[:, :dim], vectors[:, :dim])
            _write(self.query_tower.embedding, self._graph.users, users)
            _write(self.candidate_tower.embedding, self._graph.items, vectors[:, :dim])
            if self.candidate_tower.bias_embedding is not None:
                _write(self.candidate_tower.bias_embedding, self._graph.items, vectors[:, dim:])
        return self

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LightGCN:
        """Rebuilds a model from `get_config`."""
        return cls(**config)


def _along(lists: tf.RaggedTensor) -> tf.Tensor:
    """Returns how far along its list each value is, `(values,)` float32 between 0 and 1."""
    lengths, starts = lists.row_lengths(), lists.row_starts()
    number = tf.range(tf.size(lists.values, tf.int64)) - tf.repeat(starts, lengths)
    return (tf.cast(number, tf.float32) + 0.5) / tf.cast(tf.repeat(lengths, lengths), tf.float32)


def _write(layer: Any, ids: np.ndarray, vectors: Any) -> None:
    """Replaces the rows of a layer's table."""
    table = layer.table
    table.clear()
    for start in range(0, len(ids), _ROWS):
        table.upsert(ids[start : start + _ROWS], vectors[start : start + _ROWS])


def _check(**given: tuple[Any, bool, str]) -> None:
    for name, (value, good, rule) in given.items():
        if not good:
            raise ValueError(
                explain(
                    f"`{name}`",
                    rule=f"must be {rule}",
                    received=f"{name}={value!r}",
                    where="LightGCN",
                )
            )
