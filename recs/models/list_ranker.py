"""A model that ranks lists of items."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from recs.data.ranking import RankingFeatures
from recs.errors import explain
from recs.export.ranking_signatures import ranking_signatures
from recs.layers.ranking_features import RankingInputs
from recs.layers.table_config import TableConfig
from recs.metrics.ndcg_metric import NDCGMetric
from recs.models.base import Model
from recs.models.member_scores import MemberScores
from recs.tasks.ranking_head import RankingHead

if TYPE_CHECKING:
    from recs.data.ranking import RankingLists


@keras.saving.register_keras_serializable("recs")
class ListRanker(Model):
    """Ranks the items of lists, by a scorer and a ranking loss.

    `features -> vectors of items -> transforms, side by side -> scorer -> score`. The description
    of the features says what batches hold (`recs.data.ranking.RankingLists.to_dataset`), and what
    requests to a server hold. (`Ranker` has neither transforms nor members, but dropout on lists
    and sequences that scorers take as such.)

    With `members=m` there are `m` scorers, each with its own weights, dropout and loss; the score
    is the mean of theirs. On little data the mean is better than any of them.

    Masking: padded items count nowhere. State: tables, weights and what transforms adapted to.

    Args:
        features: The description of the features. Sequences are pooled or attended.
        tables: The tables of their ids. Defaults to `()`.
        transforms: Layers from `(batch, list, dim)` to the same with another `dim`; each gets all
            features, and the scorer what they make, side by side. `keras.layers.Identity` keeps
            the features as they are. Those that have a method `adapt` are adapted by `adapt`.
            Defaults to `()`: the features as they are.
        scorer: A Keras layer or model from `(batch, list, dim)` to `(batch, list)` or
            `(batch, list, 1)`, such as those of `recs.layers.ranking`.
        loss: A loss of `recs.losses`, its name, or a Keras loss. Defaults to `None`:
            `recs.losses.SoftmaxLoss()`.
        members: int, positive. How many scorers there are. Defaults to `1`.
        regularization_weight: float. How much the regularization of the scorers counts, the mean
            over them. Defaults to `1.0`.
        topn: int. The metric is NDCG of the first `topn` places. Defaults to `10`.
        **kwargs: The arguments of `keras.Model`.

    Shapes: a batch as `RankingFeatures` describes it -> `(batch, list)` float32.

    Raises:
        ValueError: when `members` is not positive, or a sequence is neither pooled nor attended.

    Example:
    ```python
    >>> import keras
    >>> from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
    >>> from recs.models import ListRanker
    >>> features = RankingFeatures(examples=[RankingFeature("price")])
    >>> items = {"price": [3.0, 1.0, 2.0, 4.0], "label": [1, 0, 0, 1]}
    >>> lists = RankingLists(features, {}, items, row_splits=[0, 2, 4])
    >>> model = ListRanker(features=features, scorer=keras.layers.Dense(1, use_bias=False))
    >>> model.compile(keras.optimizers.Adam(0.1))
    >>> history = model.fit(lists.to_dataset(2), epochs=30, verbose=0)
    >>> history.history["ndcg@10"][-1]
    1.0
    >>> model.score_lists(lists).argsort().tolist()  # the cheapest comes last
    [1, 2, 0, 3]

    ```

    Reference: `tfr.keras.model.ModelBuilder` with a scorer.
    """

    def __init__(
        self,
        *,
        features: RankingFeatures,
        scorer: keras.layers.Layer,
        tables: Sequence[TableConfig] = (),
        transforms: Sequence[keras.layers.Layer] = (),
        loss: str | keras.losses.Loss | None = None,
        members: int = 1,
        regularization_weight: float = 1.0,
        topn: int = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if members < 1:
            raise self._bad("`members`", "must be a positive integer", f"members={members}")
        serialize = keras.saving.serialize_keras_object
        self.features = features
        self.item_inputs = RankingInputs(features, tables, name="item_inputs")
        self.transforms = list(transforms)
        self.head = RankingHead(loss, name="head")
        self._arguments = {
            "features": features.get_config(),
            "scorer": serialize(scorer),
            "tables": [serialize(one) for one in tables],
            "transforms": [serialize(one) for one in transforms],
            "loss": serialize(self.head.loss),
            "members": members,
            "regularization_weight": regularization_weight,
            "topn": topn,
        }
        self.members = MemberScores(scorer, members, regularization_weight, name="members")
        self.ndcg = NDCGMetric(topn=topn, name=f"ndcg@{topn}")
        # Weights are there from the beginning, so that a saved model finds them.
        nothing = ops.zeros((1, 1, self._width(tables)))
        self._scores(nothing, ops.ones((1, 1), "bool"), training=False)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns scores.

        Args:
            inputs: a batch; its labels are not used.
            training: as for every Keras model.
        """
        items = self.item_inputs(inputs, training=training)
        return ops.mean(self._scores(items["features"], items["mask"], training), axis=-1)

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the ranking loss of a batch, the mean over the members.

        Args:
            inputs: a batch with labels.
            training: whether the model is trained.
        """
        if self.features.label not in inputs:
            rule = f"must have the labels as {self.features.label!r}"
            raise self._bad("The batch", rule, ", ".join(inputs))
        labels = ops.cast(inputs[self.features.label], "float32")
        items = self.item_inputs(inputs, training=training)
        scores = self._scores(items["features"], items["mask"], training)
        weights = None if self.features.weight is None else inputs[self.features.weight]
        mean = ops.mean(scores, axis=-1)
        self.ndcg.update_state(labels, mean, sample_weight=weights, mask=items["mask"])
        # Each member's lists are lists of their own.
        count = scores.shape[-1]
        shape = (count * ops.shape(labels)[0], ops.shape(labels)[1])
        stacked = ops.reshape(ops.transpose(scores, (2, 0, 1)), shape)
        labels, mask = ops.tile(labels, (count, 1)), ops.tile(items["mask"], (count, 1))
        weights = None if weights is None else ops.tile(weights, (count, 1))
        return self.head(labels, stacked, sample_weight=weights, mask=mask)

    def adapt(self, lists: RankingLists, batch_size: int = 256) -> ListRanker:
        """Adapts the transforms to the items of training lists; returns the model.

        Args:
            lists: the lists.
            batch_size: how many of them at once. Defaults to `256`.
        """
        layers = [layer for layer in self.transforms if hasattr(layer, "adapt")]
        if layers:
            rows = []
            for batch in lists.to_dataset(batch_size):
                items = self.item_inputs(batch, training=False)
                rows.append(tf.boolean_mask(items["features"], items["mask"]).numpy())
            for layer in layers:
                layer.adapt(np.concatenate(rows))
        return self

    def score_lists(self, lists: RankingLists, batch_size: int = 256) -> np.ndarray:
        """Returns a score for each item, `(items,)` float32, in the order of the lists.

        Args:
            lists: the lists.
            batch_size: how many of them are scored at once. Defaults to `256`.
        """
        scores = [np.zeros(0, np.float32)]
        for batch in lists.to_dataset(batch_size):
            mask = batch[self.features.mask]
            scores.append(tf.boolean_mask(self(batch, training=False), mask).numpy())
        return np.concatenate(scores)

    def serving_signatures(self) -> dict[str, Any]:
        """Returns what a server offers: serialised lists, or items, to scores.

        `recs.export.saved_model(model, path)` asks for it; see `recs.export.ranking_signatures`.
        """
        return ranking_signatures(self, self.features)

    def _scores(self, vectors: Any, mask: Any, training: bool | None) -> Any:
        """Returns `(batch, list, members)`."""
        if self.transforms:
            parts = [_transformed(layer, vectors, mask, training) for layer in self.transforms]
            vectors = ops.concatenate(parts, axis=-1)
            vectors = ops.where(mask[..., None], vectors, ops.zeros_like(vectors))
        return self.members(vectors, mask, training=training)

    def _width(self, tables: Sequence[TableConfig]) -> int:
        """Returns how many numbers an item's vector has."""
        dims = {table.name: table.embedding_dim for table in tables}
        width = 0
        for feature in (*self.features.context, *self.features.examples):
            if feature.kind == "sequence" and feature.combiner is None:
                rule = "must be pooled or attended: the scorer takes one vector an item"
                raise self._bad(f"Feature '{feature.name}'", rule, "combiner=None")
            table = feature.table or feature.name
            dim = 1 if feature.kind == "dense" else dims[table]
            width += dim * int(np.prod(feature.shape, dtype=int))
        return width

    def _bad(self, what: str, rule: str, received: str) -> ValueError:
        where = f"ListRanker '{self.name}'"
        return ValueError(explain(what, rule=rule, received=received, where=where))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model; what it has learnt is state."""
        return {**super().get_config(), **self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> ListRanker:
        """Rebuilds a model from `get_config`.

        Args:
            config: what `get_config` returned.
            custom_objects: as in Keras. Defaults to `None`.
        """
        made = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("scorer", "tables", "transforms", "loss")
        }
        features = RankingFeatures.from_config(config["features"])
        return cls(**{**config, **made, "features": features})


def _transformed(layer: Any, vectors: Any, mask: Any, training: bool | None) -> Any:
    takes = inspect.signature(layer.call).parameters
    kwargs: dict[str, Any] = {"mask": mask} if "mask" in takes else {}
    if "training" in takes:
        kwargs["training"] = training
    return layer(vectors, **kwargs)
