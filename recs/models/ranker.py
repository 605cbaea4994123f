"""Lists ranked by all that is known of list and items: features, scorer and loss as one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from recs.data.ranking import RankingFeatures, RankingLists
from recs.errors import explain
from recs.export.ranking_signatures import ranking_signatures
from recs.layers.ranking_features import RankingInputs, list_inputs
from recs.layers.ranking_features.item_vectors import ItemVectors
from recs.layers.table_config import TableConfig
from recs.metrics import MRRMetric, NDCGMetric
from recs.models.base import ReadyModel
from recs.models.missing_tables import missing_tables
from recs.tasks.base import deserialize_all, serialize_all
from recs.tasks.loss_weight import LossWeight
from recs.tasks.ranking_head import RankingHead
from recs.tasks.sample_weights import SAMPLE_WEIGHT, as_columns

if TYPE_CHECKING:
    import tensorflow as tf

_NESTED = ("loss", "metrics", "scorer", "kernel_regularizer", "tables", "transforms")
_OF_HEAD = ("loss", "metrics", "scorer", "units", "kernel_regularizer", "members")


@keras.saving.register_keras_serializable("recs")
class Ranker(ReadyModel):
    """Learns to rank lists whose features are described once, and is served by that description.

    `features -> a vector an item -> transforms, side by side -> scorer -> head`. `RankingInputs`
    makes a vector of each item and what is known of its list; transforms make numbers of any scale
    fit for a network; a scorer turns the vectors of a list into scores, and
    `recs.tasks.RankingHead` takes these and the labels to the ranking loss. What embeddings,
    scorers and head are regularized with is added to it, see there.

    Masking: items that `mask` of the batch leaves out, or whose label is below 0, have no part in
    loss and metrics; no other item's score depends on them unless the scorer ignores its mask.
    State: tables, weights and what transforms adapted to, all in `.keras` files.

    Args:
        features: The description of the features.
        tables: The tables of ids, by the name in `table`. Defaults to `()`: each gets one with
            vectors of `embedding_dim`, and so does every name that is missing here.
        scorer: A layer or model from `(batch, list, width)` to scores `(batch, list)` or, with
            `units`, to vectors, such as those of `recs.layers.ranking`. Where sequences are left
            as such (`combiner=None`) it takes the dict that `RankingInputs` gives. Defaults to
            `None`: dense layers of 64 and 32 units, and one of `units`.
        transforms: Layers from `(batch, list, dim)` to the same with another `dim`; each gets all
            features, and the scorer what they make, side by side. `keras.layers.Identity` keeps
            the features as they are. Those that have a method `adapt` are adapted by `adapt`.
            Defaults to `()`: the features as they are.
        members: int, positive. How many scorers there are, each with weights, dropout and a loss
            of its own; the score is the mean of theirs. On little data the mean is better than any
            of them. Defaults to `1`.
        loss: A loss of `recs.losses`, its name, or a Keras loss. Defaults to `None`, which is
            `recs.losses.SoftmaxLoss()`.
        metrics: As for `RankingHead`. Defaults to `None`: NDCG of the first ten, as `ndcg_10`, and
            `mrr`; of scores with several `units`, none.
        units: As for `RankingHead`. Defaults to `None`: the scorer gives scores.
        kernel_regularizer: As for `RankingHead`. Defaults to `None`.
        regularization_weight: float, 0 or more. How much all regularization counts, that of the
            embeddings too. Defaults to `1.0`.
        list_dropout: As for `RankingHead`. Defaults to `0.0`.
        embedding_dim: int, positive. Of tables that `tables` does not have. Defaults to `16`.
        seed: int. Decides the initial rows of these tables, and what `list_dropout` leaves out.
            Defaults to `None`: drawn anew.
        **kwargs: The arguments of `keras.Model`.

    Shapes: a batch as `RankingFeatures` describes it -> `(batch, list)` float32, the lowest
        float32 where there is no item; `(batch, list, units)` for more units than one.

    Raises:
        ValueError: when an argument is not as `RankingInputs` and `RankingHead` want it, or a batch
            to learn from has no labels.

    Example:
    ```python
    >>> import keras
    >>> from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists
    >>> from recs.models import Ranker
    >>> features = RankingFeatures([RankingFeature("user", "ids")], [RankingFeature("item", "ids")])
    >>> examples = {"item": [1, 2, 3, 2], "label": [0, 1, 1, 0]}
    >>> lists = RankingLists(features, {"user": [7, 8]}, examples, row_splits=[0, 2, 4])
    >>> keras.utils.set_random_seed(1)
    >>> model = Ranker(features, seed=1)
    >>> model.compile(optimizer=keras.optimizers.Adam(0.05))
    >>> history = model.fit(lists.to_dataset(batch_size=2), epochs=20, verbose=0)
    >>> scores = model.score_lists(lists)  # one an item, list after list
    >>> [int(np.argmax(scores[:2])), int(np.argmax(scores[2:]))]
    [1, 0]

    ```

    Reference: `tfr.keras.model.ModelBuilder`.
    """

    def __init__(
        self,
        features: RankingFeatures,
        tables: Sequence[TableConfig] = (),
        scorer: keras.layers.Layer | None = None,
        *,
        transforms: Sequence[keras.layers.Layer] = (),
        members: int = 1,
        loss: str | keras.losses.Loss | None = None,
        metrics: Sequence[keras.Metric] | keras.Metric | None = None,
        units: int | None = None,
        kernel_regularizer: Any = None,
        regularization_weight: float = 1.0,
        list_dropout: float = 0.0,
        embedding_dim: int = 16,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.features = features
        named = [*tables, *missing_tables(features, tables, embedding_dim, seed)]
        self.vectors = ItemVectors(RankingInputs(features, named), transforms, name="vectors")
        both = (*features.context, *features.examples)
        self.takes_sequences = any(one.kind == "sequence" and one.combiner is None for one in both)
        if scorer is None:
            scorer = keras.Sequential([keras.layers.Dense(dim, "relu") for dim in (64, 32)])
            units = units or 1
        if metrics is None:
            one = units in (None, 1)
            metrics = [NDCGMetric(name="ndcg_10", topn=10), MRRMetric(name="mrr")] if one else []
        self.head = RankingHead(
            loss,
            metrics,
            scorer=scorer,
            units=units,
            kernel_regularizer=kernel_regularizer,
            regularization_weight=regularization_weight,
            list_dropout=list_dropout,
            mask_name="mask" if self.takes_sequences else None,
            members=members,
            seed=seed,
            name="head",
        )
        self._vectors_weight = LossWeight(self.vectors, regularization_weight)
        self._given = {"embedding_dim": embedding_dim, "seed": seed}
        # All weights are made now, so that saved ones have a place to go.
        spec = self.vectors.compute_output_spec(list_inputs(features))
        self.head.scores(self._of_scorer(spec), spec["mask"])
        self.built = True

    @property
    def inputs_of_lists(self) -> RankingInputs:
        """The layer that has the tables, as `inputs_of_lists.embeddings`."""
        return self.vectors.inputs

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """Returns the scores of the items of a batch."""
        vectors = self.vectors(inputs, training=training)
        mask = vectors["mask"]
        scores = self.head.scores(self._of_scorer(vectors), mask, training=training)
        there = mask if len(scores.shape) == 2 else mask[..., None]
        lowest = float(np.finfo("float32").min)
        return ops.where(there, ops.cast(scores, "float32"), lowest)

    def compute_loss(self, inputs: Any, training: bool = False) -> Any:
        """Returns the ranking loss of a batch.

        Args:
            inputs: A batch as `RankingFeatures` describes it, with labels; or
                `(columns, labels, weights)`. Weights that `features` do not name are
                `"sample_weight"`.
            training: Whether the model is trained.
        """
        inputs = as_columns(inputs, f"Ranker '{self.name}'", self.features.label)
        if self.features.label not in inputs:
            raise ValueError(
                explain(
                    "The batch",
                    rule=f"must have labels as {self.features.label!r}",
                    received=", ".join(inputs),
                    where=f"Ranker '{self.name}'",
                )
            )
        before = self._vectors_weight.before()
        vectors = self.vectors(inputs, training=training)
        self._vectors_weight.correct(before)
        weights = inputs.get(self.features.weight or SAMPLE_WEIGHT)
        return self.head(
            inputs[self.features.label],
            self._of_scorer(vectors),
            sample_weight=weights,
            mask=vectors["mask"],
            training=training,
        )

    def adapt(self, lists: RankingLists | tf.data.Dataset, batch_size: int = 256) -> Ranker:
        """Adapts the transforms to the items of training lists; returns the model.

        Args:
            lists: The lists, or a dataset of batches.
            batch_size: How many of them at once. Defaults to `256`.
        """
        of_lists = isinstance(lists, RankingLists)
        self.vectors.adapt(lists.to_dataset(batch_size) if of_lists else lists)
        return self

    def score_lists(self, lists: RankingLists, batch_size: int = 256) -> np.ndarray:
        """Returns the scores of all items, `(items,)` float32, in the order of the lists.

        Args:
            lists: The lists; their labels are not looked at. `lists.row_splits` says where each
                list begins among the scores.
            batch_size: Lists scored at once. Defaults to `256`.
        """
        scores = [np.zeros(0, "float32")] if not len(lists) else []
        for batch in lists.to_dataset(batch_size):
            mask = ops.convert_to_numpy(batch[self.features.mask])
            scores.append(ops.convert_to_numpy(self(batch, training=False))[mask])
        return np.concatenate(scores)

    def serving_signatures(self) -> dict[str, Any]:
        """Returns what a server offers; see `recs.export.ranking_signatures`.

        `recs.export.saved_model(model, path)` asks for it.
        """
        return ranking_signatures(self, self.features)

    def _of_scorer(self, vectors: Mapping[str, Any]) -> Any:
        """Returns what the scorer takes of what `RankingInputs` gives."""
        return dict(vectors) if self.takes_sequences else vectors["features"]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model; what it has learnt is state."""
        head = self.head.get_config()
        numbers = ("regularization_weight", "list_dropout")
        return {
            **super().get_config(),
            "features": self.features.get_config(),
            "tables": serialize_all(self.inputs_of_lists.table_configs),
            "transforms": serialize_all(self.vectors.transforms),
            **{name: head[name] for name in (*_OF_HEAD, *numbers)},
            **self._given,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Ranker:
        """Rebuilds a model from `get_config`."""
        rebuilt = deserialize_all(config, _NESTED)
        return cls(**{**rebuilt, "features": RankingFeatures.from_config(config["features"])})
