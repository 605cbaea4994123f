"""The two-tower model: retrieval by the dot product of a user's and an item's vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.layers.loss import NegativesSchedule, Temperature
from recs.layers.negatives import Negatives, Uniform
from recs.layers.negatives.from_corpus import FromCorpus
from recs.models.encode import as_ids, as_users, in_batches
from recs.models.recommendations import Recommendations
from recs.models.recommender import Recommender
from recs.models.tower import Tower
from recs.tasks.base import as_list, deserialize_all, serialize_all
from recs.tasks.retrieval import Retrieval
from recs.tasks.sample_weights import as_columns, flat_weights

_OBJECTS = ("loss", "negatives", "num_hard_negatives")  # arguments that are, or may be, objects


@keras.saving.register_keras_serializable("recs")
class TwoTower(Recommender):
    """Recommends the items whose vectors have the largest dot product with the user's.

    One tower makes a vector of a user, one of an item, and `score(u, i) = q_u . c_i`. Training sees
    pairs that happened, and the other items of the batch are each pair's negatives: the loss is
    the softmax over the batch of `score / temperature - log p_i`, see `recs.tasks.Retrieval`.

    Popular items are in more batches, hence are negatives more often. With `correct_sampling` their
    probability `p_i` is taken out, so that scores estimate how likely the item is, popularity
    included; it is read from `set_popularity`, which needs the items' training counts, or with
    `"streaming"` estimated while training goes on (see `recs.layers.FrequencyEstimate`).

    After training, `index` encodes the catalogue; `recommend` then answers. Masking: none. State:
    towers, popularity, the index, ids and titles, all in `.keras` files.

    Args:
        user: The column of user ids. Defaults to `"user_id"`.
        item: The column of item ids. Defaults to `"item_id"`.
        embedding_dim: int, positive. Length of each embedding; larger fits more, and overfits
            sooner. Defaults to `32`.
        units: Sizes of the dense layers of both towers, the last the length of their vectors.
            Defaults to `()`, for none: the vectors are the embeddings.
        user_features: Further columns of the user. Defaults to `()`.
        item_features: Further columns of the item, such as genres. Defaults to `()`.
        id_dtype: `"string"` or `"int64"`. Defaults to `"string"`.
        normalize: bool. Whether vectors have length 1; use a temperature near 0.1 then. Defaults
            to `False`.
        temperature: float, positive. Below 1 it sharpens the softmax. `"learned"` lets training
            find it, from 0.07 on; for `normalize`. Defaults to `1.0`.
        regularization: float. Factor of the squares of the batch's distinct embeddings. Defaults
            to `0.0`.
        item_bias: bool. Whether each item has a number of its own in all its scores; users never
            seen then get what most like. Defaults to `False`.
        correct_sampling: bool or `"streaming"`. Whether to subtract `log p_i`. Defaults to `False`.
        remove_accidental_hits: bool. Whether a pair's own item, in the batch a second time, is no
            negative of it. Defaults to `True`.
        loss: One of `recs.losses`, or another loss that `recs.tasks.Retrieval` takes. Defaults to
            `None`: the softmax above, summed over the batch.
        negatives: One or several of `recs.layers.negatives`. Those of the whole corpus draw from
            the items of `set_popularity`, by id alone, so not with `item_features`. Defaults to
            `None`: the other items of the batch.
        num_hard_negatives: int, or `recs.layers.loss.NegativesSchedule`. How many of the negatives
            to keep, those with the largest scores. Defaults to `None`: all.
        seed: int. Decides all initial values. Defaults to `None`: drawn from Python's `random`,
            which `keras.utils.set_random_seed` seeds.
        **kwargs: The arguments of `keras.Model`.

    Shapes: a dict of columns `(batch,)`, lists `(batch, None)` -> a pair of `(batch, dim)`.

    Raises:
        ValueError: when a column is missing, or popularity is needed and was not set.

    Example:
    ```python
    >>> import keras
    >>> from recs.data import Interactions
    >>> from recs.models import TwoTower
    >>> log = Interactions({"user": ["ann", "ann", "bob"], "item": ["Heat", "Ran", "Up"]})
    >>> model = TwoTower(user="user", item="item", embedding_dim=4, seed=1)
    >>> model.compile(optimizer=keras.optimizers.Adagrad(0.5))
    >>> history = model.fit(log.to_dataset(batch_size=3), epochs=50, verbose=0)
    >>> model.index(["Heat", "Ran", "Up"]).recommend(["bob"], k=1).ids.tolist()
    [['Up']]

    ```

    Reference: [Yi et al., 2019](https://doi.org/10.1145/3298689.3346996).
    """

    def __init__(
        self,
        *,
        user: str = "user_id",
        item: str = "item_id",
        embedding_dim: int = 32,
        units: Sequence[int] = (),
        user_features: Sequence[str] = (),
        item_features: Sequence[str] = (),
        id_dtype: str = "string",
        normalize: bool = False,
        temperature: float | Literal["learned"] = 1.0,
        regularization: float = 0.0,
        item_bias: bool = False,
        correct_sampling: bool | Literal["streaming"] = False,
        remove_accidental_hits: bool = True,
        loss: Any = None,
        negatives: Negatives | Sequence[Negatives] | None = None,
        num_hard_negatives: int | NegativesSchedule | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._arguments = {
            "user": user,
            "item": item,
            "embedding_dim": embedding_dim,
            "units": list(units),
            "user_features": list(user_features),
            "item_features": list(item_features),
            "id_dtype": id_dtype,
            "normalize": normalize,
            "temperature": temperature,
            "regularization": regularization,
            "item_bias": item_bias,
            "correct_sampling": correct_sampling,
            "remove_accidental_hits": remove_accidental_hits,
            "loss": _serialized(loss),
            "negatives": _serialized(negatives),
            "num_hard_negatives": _serialized(num_hard_negatives),
            "seed": seed,
        }
        shared: dict[str, Any] = {
            "embedding_dim": embedding_dim,
            "units": units,
            "id_dtype": id_dtype,
            "normalize": normalize,
            "regularization": regularization,
        }
        self.query_tower = Tower(
            user,
            features=user_features,
            bias="one" if item_bias else None,
            seed=seed,
            name="query_tower",
            **shared,
        )
        items = Tower(
            item,
            features=item_features,
            bias="learned" if item_bias else None,
            # Another seed, or user "7" and item "7" would start alike.
            seed=None if seed is None else seed + 1009,
            name="candidate_tower",
            **shared,
        )
        self._own_candidates(items)
        self.correct_sampling = correct_sampling
        self.has_item_bias = item_bias
        self._corpora = [kind for kind in as_list(negatives) if isinstance(kind, FromCorpus)]
        self._check_negatives()
        self.task = Retrieval(
            loss,
            negatives=negatives,
            num_hard_negatives=num_hard_negatives,
            temperature=Temperature() if temperature == "learned" else temperature,
            remove_accidental_hits=remove_accidental_hits,
            sampling_correction="streaming" if correct_sampling == "streaming" else None,
        )
        self.built = True

    def _check_negatives(self) -> None:
        if self._corpora and self.candidate_tower.features:
            raise ValueError(
                explain(
                    "`negatives`",
                    rule="must be of the batch, or a memory, where items have features",
                    received=f"{type(self._corpora[0]).__name__}, which draws ids alone",
                    where=self._where,
                )
            )

    def set_popularity(self, counts: Mapping[Any, int]) -> TwoTower:
        """Sets the items that negatives are drawn from, and their probabilities; returns the model.

        Args:
            counts: item id to its number of training interactions, as
                `train.item_counts()` gives it. An item that is missing counts as very rare (1e-6).

        Raises:
            ValueError: when there are no counts, or one is not positive.
        """
        super().set_popularity(counts)
        for kind in self._corpora:
            kind.adapt(list(counts) if isinstance(kind, Uniform) else counts)
        return self

    def call(self, inputs: Mapping[str, Any]) -> tuple[Any, Any]:
        """Returns the vectors of the users and of the items of a batch."""
        return self.query_tower(inputs), self.candidate_tower(inputs)

    @property
    def adapting_towers(self) -> dict[str, list[keras.layers.Layer]]:
        """The part that a `MetaLearner` adapts: the user tower's dense layers, if any."""
        return {"query_tower": self.query_tower.dense} if self.query_tower.dense else {}

    def tower_labels(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what the user's dense layers have to be close to: the items' vectors."""
        vectors = self.candidate_tower(inputs)
        return {"query_tower": vectors[:, : self.query_tower.output_dim - self.has_item_bias]}

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the in-batch softmax loss of a batch of pairs.

        Args:
            inputs: a dict with the towers' columns, one row a pair, and their weights as
                `"sample_weight"`; or `(columns, labels, weights)`, labels being 1.
            training: whether the model is trained.
        """
        inputs = as_columns(inputs, self._where)
        queries, candidates = self(inputs, training=training)
        ids = tf.convert_to_tensor(inputs[self.candidate_tower.column])
        probability = None
        if self.correct_sampling is True:
            self._check_popularity("correct_sampling")
            probability = self.popularity(ids)[:, 0]
        return self.task(
            queries,
            candidates,
            sample_weight=flat_weights(inputs),
            candidate_ids=ids,
            candidate_sampling_probability=probability,
            encode=lambda drawn: self.candidate_tower({self.candidate_tower.column: drawn}),
            compute_metrics=not training,
        )

    def _examples_summed(self, inputs: Any) -> Any:
        if not self.task.sums_examples:
            return None
        return tf.shape(inputs[self.candidate_tower.column])[0]

    @property
    def columns(self) -> list[str]:
        """The columns that a call reads."""
        return [*self.query_tower.columns, *self.candidate_tower.columns]

    def query_vectors(self, users: Any) -> np.ndarray:
        """Returns the users' vectors, `(users, dim)` float32.

        Args:
            users: ids, or a dict of columns where the model has user features.
        """
        tower = self.query_tower
        given = users if isinstance(users, Mapping) else {tower.column: as_ids(users)}
        return in_batches(tower, given, tower.columns)

    def recommend(
        self, users: Any, k: int = 10, exclude: Sequence[Any] | None = None
    ) -> Recommendations:
        """Returns the `k` best items of the catalogue for each user.

        Args:
            users: ids, or a dict of columns where the model has user features.
            k: how many; of fewer items, all. Defaults to `10`.
            exclude: for each user the ids not to be recommended, such as those they have. Defaults
                to `None`, for none.

        A user that training has not seen gets what the model can say of them: by their features,
        or with `item_bias` what most like.

        Raises:
            ValueError: when training has seen neither the id nor a feature of a user and the model
                has no `item_bias`, when `exclude` has another length than `users`, when there is no
                index, or `k` is not positive.
        """
        column, id_dtype = self.query_tower.column, self.query_tower.id_dtype
        asked = users if isinstance(users, Mapping) else {column: users}
        ids = as_users(asked[column], id_dtype, self._where) if column in asked else None
        if ids is not None:
            asked = {**asked, column: ids}
            self._check_users(asked)
        return self._best(self.query_vectors(asked), k, exclude)

    def _check_users(self, asked: Mapping[str, Any]) -> None:
        tower = self.query_tower
        ids = asked[tower.column]
        if self.has_item_bias or not len(ids):
            return
        if tower.features:
            known = in_batches(tower, asked, tower.columns, call=tower.answers) > 0
        else:
            known = tower.knows(ids)
        if known.all():
            return
        some = tower.embedding.table.export()[0][:3].tolist()
        like = ", ".join(repr(i.decode() if isinstance(i, bytes) else i) for i in some)
        raise ValueError(
            explain(
                "A user",
                rule="must have an id or a feature that training has seen, as the model has no "
                "`item_bias`",
                received=repr(ids[~known][0]),
                where=self._where,
                remedy=f"Ids look like {like}.",
            )
        )

    def serving_signatures(self) -> dict[str, Any]:
        """Returns what a server offers: `serving_default`, `top_k` and the embeddings.

        `recs.export.saved_model(model, path)` asks for it; see `recs.export.retrieval_signatures`.

        Raises:
            ValueError: when there is no index.
        """
        from recs.export import retrieval_signatures

        query, candidate = self.query_tower, self.candidate_tower
        return retrieval_signatures(
            query,
            candidate,
            self.top_k,
            query.serving_specs(),
            candidate.serving_specs(),
            titles=self.catalogue.titles or None,
            answers=query.answers,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model; what it has learnt is state."""
        return {**super().get_config(), **self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TwoTower:
        """Rebuilds a model from `get_config`."""
        given = [name for name in _OBJECTS if isinstance(config.get(name), dict | list)]
        return cls(**deserialize_all(config, given))


def _serialized(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return serialize_all(value)
    plain = value is None or isinstance(value, int)
    return value if plain else keras.saving.serialize_keras_object(value)
