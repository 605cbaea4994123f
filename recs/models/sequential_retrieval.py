"""Retrieval by what a user did: a sequence tower and an item tower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.layers.sequence import SASRec, SequenceEncoder
from recs.losses.functional import in_batch
from recs.models.encode import in_batches
from recs.models.histories import as_column, next_items, seen_and
from recs.models.recommendations import Recommendations
from recs.models.recommender import Recommender
from recs.models.sampled_softmax import same_ids, sampled_softmax
from recs.models.sequence_tower import SequenceTower
from recs.models.tower import Tower
from recs.tasks.retrieval import Retrieval
from recs.tasks.sample_weights import as_columns, checked_weights, flat_weights


@keras.saving.register_keras_serializable("recs")
class SequentialRetrieval(Recommender):
    """Recommends what comes next: the items whose vectors fit that of a user's history best.

    `score(history, i) = encoder(e_1 ... e_n) . e_i`, history and items from one table. A user has
    no row, so new users and new events are served as they come. Data: `recs.data.sequences`.

    What is learned from. With `positions="last"` a row is a history and the item that followed;
    with `"all"` every position of the history predicts its next one too, so that a pass over
    windows of `stride=max_length` trains on each interaction once, in a fraction of the time
    (Kang & McAuley train so). With `V` such predictions in a batch, the loss is the softmax of
    each one's own item against

    - by default the items of the others, by `recs.tasks.Retrieval`: `V * V` scores, which with
      `"all"` is much memory. Popular items are negatives more often; `correct_sampling` takes that
      out.
    - with `negatives=m`, `m` of them, drawn anew for each step: `V * m` scores, whatever the batch.
    - with `negatives_from="catalogue"` as well, `m` items drawn uniformly from all that
      `set_popularity` named; there is nothing to correct then.

    Masking: as for `SequenceTower`. State: towers, popularity, the index, ids and titles, all in
    `.keras` files.

    Args:
        encoder: A layer of `recs.layers.sequence`. Defaults to `None`: `SASRec()`.
        item: The column of item ids. Defaults to `"item_id"`.
        history: The column of histories, lists of item ids. Defaults to `"history"`.
        embedding_dim: int, positive. Length of each embedding. Defaults to `32`.
        id_dtype: `"string"` or `"int64"`. Defaults to `"string"`.
        mask_key: The id that stands for padding in dense histories. Defaults to `None`: none does.
        share_items: bool. Whether history and items share a table. Defaults to `True`.
        positions: `"last"` or `"all"`. Defaults to `"last"`.
        negatives: int. How many negatives a step draws for all its predictions. Defaults to `None`:
            every item of the batch is one.
        negatives_from: `"batch"` or `"catalogue"`: where they are drawn from. Defaults to
            `"batch"`.
        normalize: bool. Whether vectors have length 1; use a temperature near 0.1 then. Defaults
            to `False`.
        temperature: float, positive. Below 1 it sharpens the softmax. Defaults to `1.0`.
        regularization: float. Factor of the squares of the batch's distinct embeddings. Defaults
            to `0.0`.
        item_bias: bool. Whether each item has a number of its own in all its scores; a user
            without a history then gets what most like. Defaults to `False`.
        correct_sampling: bool. Whether to subtract `log p_i` from the scores of items that come
            from the batch. Defaults to `False`.
        remove_accidental_hits: bool. Whether a row's own item is no negative of it. Defaults to
            `True`.
        seed: int. Decides the initial values of the embeddings. Defaults to `None`: drawn from
            Python's `random`, which `keras.utils.set_random_seed` seeds.
        **kwargs: The arguments of `keras.Model`.

    Shapes: a dict with histories `(batch, n)` or ragged, and items `(batch,)` -> a pair of
        `(batch, dim)`.

    Raises:
        ValueError: when `positions` is neither of the two, `negatives` is not positive, popularity
            is needed and was not set, or the encoder's vectors are not as long as the items'.

    Example:
    ```python
    >>> import keras
    >>> from recs.data import Interactions, sequences
    >>> from recs.layers.sequence import GRU4Rec
    >>> from recs.models import SequentialRetrieval
    >>> log = Interactions({"user": [1] * 5, "item": list("abcab"), "timestamp": [1, 2, 3, 4, 5]})
    >>> model = SequentialRetrieval(GRU4Rec(seed=1), item="item", embedding_dim=8, seed=1)
    >>> model.compile(optimizer=keras.optimizers.Adam(0.05))
    >>> rows = sequences.windows(log).to_dataset(["history", "item"], batch_size=4)
    >>> history = model.fit(rows, epochs=40, verbose=0)
    >>> model.index(["a", "b", "c"]).recommend([["c", "a"], ["a", "b"]], k=1).ids.tolist()
    [['b'], ['c']]

    ```

    Reference: [Kang & McAuley, 2018](https://arxiv.org/abs/1808.09781);
    [Hidasi et al., 2016](https://arxiv.org/abs/1511.06939).
    """

    def __init__(
        self,
        encoder: SequenceEncoder | None = None,
        *,
        item: str = "item_id",
        history: str = "history",
        embedding_dim: int = 32,
        id_dtype: str = "string",
        mask_key: int | str | None = None,
        share_items: bool = True,
        positions: Literal["last", "all"] = "last",
        negatives: int | None = None,
        negatives_from: Literal["batch", "catalogue"] = "batch",
        normalize: bool = False,
        temperature: float = 1.0,
        regularization: float = 0.0,
        item_bias: bool = False,
        correct_sampling: bool = False,
        remove_accidental_hits: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        encoder = SASRec() if encoder is None else encoder
        if positions not in ("last", "all"):
            raise self._bad("`positions`", "must be 'last' or 'all'", f"positions={positions!r}")
        if negatives is not None and (not isinstance(negatives, int) or negatives < 1):
            raise self._bad("`negatives`", "must be a positive integer", f"negatives={negatives!r}")
        if negatives_from not in (("batch",) if negatives is None else ("batch", "catalogue")):
            raise self._bad(
                "`negatives_from`",
                "must be 'batch', or with a number of `negatives` 'catalogue'",
                f"negatives_from={negatives_from!r}, negatives={negatives}",
            )
        self._arguments = {
            "item": item,
            "history": history,
            "embedding_dim": embedding_dim,
            "id_dtype": id_dtype,
            "mask_key": mask_key,
            "share_items": share_items,
            "positions": positions,
            "negatives": negatives,
            "negatives_from": negatives_from,
            "normalize": normalize,
            "temperature": temperature,
            "regularization": regularization,
            "item_bias": item_bias,
            "correct_sampling": correct_sampling,
            "remove_accidental_hits": remove_accidental_hits,
            "seed": seed,
        }
        items = Tower(
            item,
            embedding_dim=embedding_dim,
            id_dtype=id_dtype,
            normalize=normalize,
            regularization=regularization,
            bias="learned" if item_bias else None,
            seed=seed,
            name="candidate_tower",
        )
        self._own_candidates(items)
        self.query_tower = SequenceTower(
            encoder,
            history,
            items.embedding if share_items else None,
            embedding_dim,
            id_dtype,
            mask_key,
            normalize,
            bias=item_bias,
            # Another seed, or both tables would start alike.
            seed=None if seed is None else seed + 1009,
            name="query_tower",
        )
        if self.query_tower.output_dim != items.output_dim:
            raise self._bad(
                "The vectors of the encoder",
                f"must be as long as the items', {embedding_dim}",
                f"{encoder.output_dim(embedding_dim)}",
                "Give `GRU4Rec` an `output_dim`, or the model another `embedding_dim`.",
            )
        self.correct_sampling = correct_sampling
        self.positions, self.temperature = positions, temperature
        self.negatives, self.negatives_from = negatives, negatives_from
        self.remove_accidental_hits = remove_accidental_hits
        self.task = Retrieval(
            temperature=temperature, remove_accidental_hits=remove_accidental_hits
        )
        self._draws = keras.random.SeedGenerator(seed)
        # The ids that negatives are drawn from.
        self._pool = tf.Variable(
            tf.constant([], id_dtype), trainable=False, shape=tf.TensorShape([None])
        )
        self.built = True

    @property
    def max_length(self) -> int | None:
        """The number of items of a history that the encoder reads; None for all."""
        return self.query_tower.encoder.max_length

    def set_popularity(self, counts: Mapping[Any, int]) -> SequentialRetrieval:
        """Sets the items that negatives are drawn from, and how often each occurs.

        Args:
            counts: item id to its number of training interactions, as `train.item_counts()` gives
                it.

        Returns:
            The model.

        Raises:
            ValueError: when there are no counts, or one is not positive.
        """
        super().set_popularity(counts)
        self._fill_pool()
        return self

    def _fill_pool(self) -> None:
        # Sorted: in what order a table gives its ids depends on how it came by them.
        self._pool.assign(tf.constant(np.sort(self.popularity.table.export()[0])))

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> tuple[Any, Any]:
        """Returns the vectors of the histories and of the items of a batch."""
        queries = self.query_tower(inputs, training=training)
        return queries, self.candidate_tower(inputs, training=training)

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the softmax loss of a batch of histories and the items that followed.

        Args:
            inputs: a dict with the columns of histories and items, as for `TwoTower`.
            training: whether the model is trained.
        """
        inputs = as_columns(inputs, self._where)
        weight, tower = flat_weights(inputs), self.candidate_tower
        items = tf.convert_to_tensor(inputs[tower.column])
        if self.positions == "all":
            queries, histories = self.query_tower.positions(inputs, training=training)
            items = next_items(histories, items)
            weight = None if weight is None else tf.gather(weight, histories.value_rowids())
        else:
            queries = self.query_tower(inputs, training=training)
        candidates = tower({tower.column: items}, training=training)
        probability = None
        if self.correct_sampling and self.negatives_from == "batch":
            self._check_popularity("correct_sampling")
            probability = self.popularity(items)[:, 0]
        if self.negatives is not None:
            losses = self._sampled_losses(queries, candidates, items, probability, training)
            return ops.sum(losses * checked_weights(1.0 if weight is None else weight, self.name))
        return self.task(
            queries,
            candidates,
            sample_weight=weight,
            # Numbers of the batch's distinct ids: strings take long to compare, each with each.
            candidate_ids=tf.unique(items).idx,
            candidate_sampling_probability=probability,
            compute_metrics=not training,
        )

    def _examples_summed(self, inputs: Any) -> Any:
        if self.positions == "all":
            return self.query_tower.count_positions(inputs)
        return tf.shape(inputs[self.candidate_tower.column])[0]

    def _sampled_losses(
        self, queries: Any, candidates: Any, items: Any, probability: Any, training: bool
    ) -> Any:
        """Returns the losses of each query's own candidate against items drawn for all."""
        own_log_p = negative_log_p = None
        if self.negatives_from == "batch":
            rows = self._rows(tf.shape(items)[0])
            drawn, others = tf.gather(items, rows), ops.take(candidates, rows, axis=0)
            if probability is not None:
                own_log_p = in_batch.log_probability(probability, "float32")
                negative_log_p = ops.take(own_log_p, rows)
        else:
            drawn = self._drawn()
            others = self.candidate_tower({self.candidate_tower.column: drawn}, training=training)
        return sampled_softmax(
            queries,
            candidates,
            others,
            temperature=self.temperature,
            own_log_p=own_log_p,
            negative_log_p=negative_log_p,
            hits=same_ids(items, drawn) if self.remove_accidental_hits else None,
        )

    def _drawn(self) -> tf.Tensor:
        """Returns ids, uniform over the items that training knows."""
        self._check_popularity("negatives")
        with tf.init_scope():
            self._fill_pool()  # Popularity may have been loaded since.
        pool = self._pool.read_value()
        return tf.gather(pool, self._rows(tf.shape(pool)[0]))

    def _rows(self, count: Any) -> tf.Tensor:
        """Returns as many row numbers below `count` as there are negatives, each drawn alike."""
        drawn = keras.random.uniform((self.negatives,), dtype="float32", seed=self._draws)
        rows = tf.cast(drawn * tf.cast(count, tf.float32), tf.int32)
        return tf.minimum(rows, tf.maximum(count - 1, 0))  # A product may round up to `count`.

    def query_vectors(self, histories: Any) -> np.ndarray:
        """Returns the vectors of users with these histories, `(users, dim)` float32.

        Args:
            histories: lists of ids, the oldest first; a `tf.RaggedTensor`; a column such as
                `recs.data.sequences.latest` returns; or a dict with one.
        """
        tower = self.query_tower
        return in_batches(tower, {tower.column: self._column(histories)}, tower.columns)

    def recommend(
        self,
        histories: Any,
        k: int = 10,
        exclude: Sequence[Sequence[Any]] | None = None,
        exclude_seen: bool = False,
    ) -> Recommendations:
        """Returns the `k` best items of the catalogue after each history.

        Args:
            histories: as for `query_vectors`.
            k: how many. Defaults to `10`.
            exclude: for each user ids not to be recommended. Defaults to `None`, for none.
            exclude_seen: whether items of the history are not recommended either. Defaults to
                `False`.

        Raises:
            ValueError: when `exclude` has another length than `histories`, when there is no index,
                or `k` exceeds it.
        """
        column = self._column(histories)
        excluded = seen_and(column, exclude) if exclude_seen else exclude
        return self._best(self.query_vectors(column), k, excluded)

    def _column(self, histories: Any) -> Any:
        tower = self.query_tower
        return as_column(histories, tower.column, tower.id_dtype, self._where)

    def serving_signatures(self) -> dict[str, Any]:
        """Returns what a server offers: `serving_default`, `top_k`, `unseen` and the embeddings.

        Histories are `history`, `(batch, n)` padded with anything, and `history_lengths`,
        `(batch,)`. `unseen` is `serving_default` without the items of the history, and without
        titles. The others: `recs.export.retrieval_signatures`.

        Raises:
            ValueError: when there is no index.
        """
        from recs.export import retrieval_signatures

        query, candidate = self.query_tower, self.candidate_tower
        specs = query.serving_specs()
        signatures = retrieval_signatures(
            query,
            candidate,
            self.top_k,
            specs,
            candidate.serving_specs(),
            titles=self.catalogue.titles or None,
        )
        absent = tf.constant(self.catalogue.absent(), query.id_dtype)
        k = min(10, len(self.catalogue.ids))

        @tf.function(input_signature=[specs])
        @tf.autograph.experimental.do_not_convert
        def unseen(queries: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            ids, lengths = queries[query.column], queries[f"{query.column}_lengths"]
            seen = tf.where(tf.sequence_mask(lengths, tf.shape(ids)[1]), ids, absent)
            vectors = query(queries, training=False)
            scores, best = self.top_k.query_with_exclusions(vectors, seen, k=k)
            return {"ids": best, "scores": scores}

        return {**signatures, "unseen": unseen}

    def _bad(self, what: str, rule: str, received: str, remedy: str = "") -> ValueError:
        return ValueError(
            explain(what, rule=rule, received=received, where=self._where, remedy=remedy)
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model; what it has learnt is state."""
        encoder = keras.saving.serialize_keras_object(self.query_tower.encoder)
        return {**super().get_config(), "encoder": encoder, **self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any], *args: Any, **kwargs: Any) -> SequentialRetrieval:
        """Rebuilds a model from `get_config`."""
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
